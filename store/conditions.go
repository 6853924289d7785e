package store

import (
	"slices"
	"strconv"
	"strings"
)

// conditions collects the parts of a WHERE with their arguments. What stands in
// them is ours, never a stranger's text.
type conditions struct {
	parts []string
	args  []any
}

// add adds a condition; each ? in it stands for the next argument.
func (c *conditions) add(condition string, args ...any) {
	for _, a := range args {
		condition = strings.Replace(condition, "?", c.arg(a), 1)
	}
	c.parts = append(c.parts, condition)
}

// arg adds an argument and gives its placeholder, for what stands outside of
// the WHERE.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

// text adds a condition for a text that is said.
func (c *conditions) text(condition, v string) {
	if v != "" {
		c.add(condition, v)
	}
}

// texts adds that column is one of a list, unless that is empty.
func (c *conditions) texts(d dialect, column string, list []string) {
	if len(list) > 0 {
		c.add(column+" IN "+d.texts("?"), asJSON(list))
	}
}

// ids adds that the column is one of a list, unless that is empty; 0 in it
// stands for NULL.
func (c *conditions) ids(d dialect, column string, list []int64) {
	if len(list) == 0 {
		return
	}
	condition := column + " IN " + d.ids("?")
	if slices.Contains(list, 0) {
		condition = "(" + condition + " OR " + column + " IS NULL)"
	}
	c.add(condition, asJSON(list))
}

// own adds that a manager sees only records of that manager; a head all.
func (c *conditions) own(viewer Manager, column string) {
	if viewer.Role != RoleHead {
		c.add(column+" = ?", viewer.ID)
	}
}

// where is the WHERE with all conditions, "" for none.
func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}
