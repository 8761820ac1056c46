// Pictures at hand: the number of the one that was clicked becomes this component's value.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-number]');
  if (!button) return;
  props.value = button.dataset.number;
  trigger('select');
});
