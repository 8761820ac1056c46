// Tables of the leaderboard: a column's head sorts by it, and a box leaves the rows whose conventions are all known.
// What is not known or not printed comes last, whichever way a column is sorted.
const MISSING = ['?', '-', ''];
const text = (cell) => cell.textContent.trim();

function compare(a, b, up) {
  const missing = MISSING.includes(a) - MISSING.includes(b);
  if (missing || MISSING.includes(a)) return missing;
  const order = Number.isNaN(a - b) ? a.localeCompare(b) : a - b;
  return up ? order : -order;
}

function sortBy(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const body = table.tBodies[0];
  const values = new Map([...body.rows].map((row) => [row, text(row.cells[column])]));
  const numbers = [...values.values()].every((value) => MISSING.includes(value) || !Number.isNaN(Number(value)));
  const sorted = head.getAttribute('aria-sort');
  const up = sorted ? sorted === 'descending' : !numbers; // the largest number first
  for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  body.append(...[...body.rows].sort((a, b) => compare(values.get(a), values.get(b), up)));
}

function addFilter(holder, table) {
  const heads = [...table.tHead.rows[0].cells].map(text);
  const columns = holder.dataset.conventions.split(', ').map((name) => heads.indexOf(name));
  const known = (row) => columns.every((column) => !MISSING.includes(text(row.cells[column])));
  const label = document.createElement('label');
  label.innerHTML = '<input type="checkbox"> only rows whose conventions are all known (<output></output>)';
  const show = () => {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) row.hidden = label.querySelector('input').checked && !known(row);
    label.querySelector('output').value = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };
  label.addEventListener('change', show);
  holder.before(label);
  show();
}

for (const holder of document.querySelectorAll('.leaderboard')) {
  const table = holder.querySelector('table');
  addFilter(holder, table);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button'); // takes the keyboard by itself
    button.type = 'button';
    button.textContent = text(head);
    button.addEventListener('click', () => sortBy(table, column));
    head.replaceChildren(button);
  });
}
