package store

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Selection picks clients by what is known of them: what is empty does not
// restrict, and of a list one suffices. "none" in Classes, Stages, Variations
// and Managers is a client without one.
type Selection struct {
	Name        string // a part of it, in any case
	Classes     []string
	Stages      []string
	Variations  []string // XYZ
	Importances []Importance
	Managers    []string // logins
	Attributes  Attributes
	// LastContactBefore picks those whose last done contact is older than the
	// day, or who have none.
	LastContactBefore Date
}

// NoneOf stands for clients without a class, stage or manager.
const NoneOf = "none"

// Attributes are what attributes of a client must say: name → one of its
// values. Case makes no difference in either.
type Attributes map[string][]string

// match compares with the attributes of a client, a JSON object.
func (a Attributes) match(text string) bool {
	if len(a) == 0 {
		return true
	}
	if text == "" || text == "{}" {
		return false
	}
	var has map[string]string
	if json.Unmarshal([]byte(text), &has) != nil {
		return false
	}
	folded := map[string]string{}
	for name, value := range has {
		folded[fold(name)] = fold(value)
	}
	for name, values := range a {
		value, ok := folded[fold(name)]
		if !ok || !slices.ContainsFunc(values, func(v string) bool { return fold(v) == value }) {
			return false
		}
	}
	return true
}

// Bounds of a selection.
const (
	maxWhere      = 4000 // bytes
	maxConditions = 50
)

// tidy is the attributes as they are kept, or what is wrong with them.
func (a Attributes) tidy() (Attributes, error) {
	out, n := Attributes{}, 0
	for name, values := range a {
		name = strings.TrimSpace(clean(name))
		for _, v := range values {
			v = strings.TrimSpace(clean(v))
			if name == "" || v == "" || len(name) > 200 || len(v) > 1000 {
				return nil, invalid("attribute", "must be a name and a value, like segment=horeca")
			}
			if n++; n > maxConditions {
				return nil, invalid("attribute", "more than %d values", maxConditions)
			}
			if !slices.Contains(out[name], v) {
				out[name] = append(out[name], v)
			}
		}
		slices.Sort(out[name])
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// ParseAttributes reads "segment=horeca, city=Пермь": the conditions of a
// selection without the word attribute before each. *Invalid says what is
// wrong.
func ParseAttributes(text string) (Attributes, error) {
	list, err := parseConditions("attribute", text)
	if err != nil {
		return nil, err
	}
	a := Attributes{}
	for _, c := range list {
		a[c.key] = append(a[c.key], c.value)
	}
	return a.tidy()
}

// String is the attributes as ParseAttributes reads them.
func (a Attributes) String() string {
	var list []string
	for name, values := range a {
		for _, v := range values {
			list = append(list, quoted(name)+"="+quoted(v))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// quoted puts what would end a condition, or be trimmed, into quotes.
func quoted(s string) string {
	if strings.ContainsAny(s, `,="`+"\n") || strings.TrimSpace(s) != s {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// ParseSelection reads conditions separated by commas, each KEY=VALUE:
//
//	abc=A, stage=lost, xyz=X, importance=high, manager=anna, name=coffee,
//	attribute segment=horeca, last-contact-before=2026-10-01 (or 30d: that many days ago)
//
// The same key again gives another value that suffices. A value with a comma
// stands in double quotes, in which "" is a quote. today is the day from which
// days are counted back. *Invalid says what is wrong.
func ParseSelection(text string, today Date) (s Selection, err error) {
	list, err := parseConditions("where", text)
	if err != nil {
		return s, err
	}
	attributes := Attributes{}
	for _, c := range list {
		if name, ok := strings.CutPrefix(c.key, "attribute "); ok {
			name = strings.TrimSpace(name)
			attributes[name] = append(attributes[name], c.value)
			continue
		}
		switch c.key {
		case "abc":
			err = pick(&s.Classes, c, strings.ToUpper, Classes, true)
		case "stage":
			err = pick(&s.Stages, c, strings.ToLower, Stages, true)
		case "xyz":
			err = pick(&s.Variations, c, strings.ToUpper, Variations, true)
		case "importance":
			err = pick(&s.Importances, c, strings.ToLower, Importances, false)
		case "manager":
			s.Managers = append(s.Managers, strings.ToLower(c.value))
		case "name":
			s.Name = c.value
		case "last-contact-before":
			s.LastContactBefore, err = dayBack(c.value, today)
		default:
			err = invalid("where", "%q is no condition: there are abc, stage, xyz, importance, manager, name, attribute NAME and last-contact-before", clip(c.key, 80))
		}
		if err != nil {
			return s, err
		}
	}
	s.Attributes, err = attributes.tidy()
	return s, err
}

// pick adds a value that must be one of all, or "none".
func pick[T ~string](to *[]T, c condition, spelt func(string) string, all []T, none bool) error {
	v := T(spelt(c.value))
	switch {
	case none && strings.EqualFold(c.value, NoneOf):
		v = NoneOf
	case !slices.Contains(all, v):
		return invalid(c.key, "%q is none of %v", clip(c.value, 40), all)
	}
	*to = append(*to, v)
	return nil
}

// dayBack is a day, or so many days before today: "30d".
func dayBack(text string, today Date) (Date, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days >= 0 && days <= 36500 {
			return today.Add(-days), nil
		}
	}
	day, err := ParseDate(text)
	if err != nil {
		return "", invalid("last-contact-before", "%q is neither a day like 2026-11-23 nor a number of days like 30d", clip(text, 40))
	}
	return day, nil
}

type condition struct{ key, value string }

// parseConditions takes a text apart at commas and line ends outside of quotes, and
// each part at its first "=".
func parseConditions(field, text string) (list []condition, err error) {
	if len(text) > maxWhere {
		return nil, invalid(field, "longer than %d bytes", maxWhere)
	}
	var c condition
	var part strings.Builder
	quote, was, hasKey := false, false, false // inside of quotes; the part had some; its key has been read
	end := func() error {
		value := part.String()
		if !was {
			value = strings.TrimSpace(value)
		}
		part.Reset()
		if c.value = value; !hasKey && value == "" { // nothing between two commas
			return nil
		}
		if !hasKey || c.key == "" || c.value == "" {
			return invalid(field, "%q is not like KEY=VALUE", clip(cmp.Or(c.key, value), 80))
		}
		if list = append(list, c); len(list) > maxConditions {
			return invalid(field, "more than %d conditions", maxConditions)
		}
		c, was, hasKey = condition{}, false, false
		return nil
	}
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case quote && r == '"' && i+1 < len(runes) && runes[i+1] == '"':
			part.WriteByte('"')
			i++
		case r == '"' && (quote || strings.TrimSpace(part.String()) == ""):
			if !quote {
				part.Reset()
			}
			quote, was = !quote, true
		case quote:
			part.WriteRune(r)
		case r == '=' && !hasKey:
			if c.key = part.String(); !was {
				c.key = strings.TrimSpace(c.key)
			}
			hasKey, was = true, false
			part.Reset()
		case r == ',' || r == '\n':
			if err := end(); err != nil {
				return nil, err
			}
		case was && r == ' ': // behind the quotes
		default:
			part.WriteRune(r)
		}
	}
	if quote {
		return nil, invalid(field, "a quote is not closed")
	}
	return list, end()
}

// SelectedClient is a client with what selections ask for besides.
type SelectedClient struct {
	Client
	Manager     string    // login, "" nobody
	LastContact time.Time // start of the last done one; zero: none
}
