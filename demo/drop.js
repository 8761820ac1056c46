// The drop zone: a file, chosen, dropped or pasted, becomes this component's value, a data URL, and 'upload' is triggered.
// One byte more than is allowed is read: whoever decodes it says what is wrong with a file that is larger.
const give = (file) => {
  if (!file) return;
  const reader = new FileReader();
  reader.onload = () => {
    props.value = reader.result;
    trigger('upload');
  };
  reader.readAsDataURL(file.slice(0, props.max_bytes + 1));
};
const over = (event, on) => {
  event.preventDefault();
  element.querySelector('.drop').classList.toggle('over', on);
};
element.addEventListener('change', (event) => {
  give(event.target.files[0]);
  event.target.value = ''; // so that the same file can be chosen again
});
element.addEventListener('dragover', (event) => over(event, true));
element.addEventListener('dragleave', (event) => over(event, false));
element.addEventListener('drop', (event) => {
  over(event, false);
  give(event.dataTransfer.files[0]);
});
document.addEventListener('paste', (event) => give(event.clipboardData.files[0]));
