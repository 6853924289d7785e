package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"intouch/store"
)

// What is written is what the schema describes, and the schema describes
// nothing that is never written.
func TestSchema(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("urn:intouch:report", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("urn:intouch:report")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	definitions := document.(map[string]any)["$defs"].(map[string]any)
	for _, name := range []string{"table", "column", "row", "money"} {
		for property := range definitions[name].(map[string]any)["properties"].(map[string]any) {
			described[name+"."+property] = true
		}
	}
	types := map[string]bool{}
	for _, word := range definitions["column"].(map[string]any)["properties"].(map[string]any)["type"].(map[string]any)["enum"].([]any) {
		types[word.(string)] = true
	}
	written, writtenTypes := map[string]bool{}, map[string]bool{}
	check := func(table *Table, name string) {
		var b bytes.Buffer
		if err := table.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		note(value, "table", written, writtenTypes)
	}
	inOffice(t, func(t *testing.T, o *office) {
		if _, err := o.Classify(t.Context(), store.DefaultClassification, "2026-11-22", time.UTC); err != nil {
			t.Fatal(err)
		}
		for _, c := range append(eight(), asking{"managers", "rows=deals"}, asking{"managers", "compare=previous&relative=yes"}, asking{"contacts", "rows=1"}, asking{"sources", "rows=return"}) {
			for _, viewer := range []store.Manager{o.olga, o.anna} {
				table := o.table(t, viewer, c.name, c.query)
				check(table, c.name+"?"+c.query)
			}
		}
	})
	check(&Table{Columns: []Column{{Key: "minutes", Type: Minutes}}, Rows: []Row{{Values: []Value{minutes(5, 5)}}}}, "an estimate")
	for name := range described {
		if !written[name] {
			t.Errorf("%s is described and never written", name)
		}
	}
	if !maps.Equal(types, writtenTypes) {
		t.Errorf("types %v, written %v", slices.Sorted(maps.Keys(types)), slices.Sorted(maps.Keys(writtenTypes)))
	}
}

// note notes the members of a value that the schema describes by that name.
func note(value any, name string, written, types map[string]bool) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			note(one, name, written, types)
		}
	case map[string]any:
		for member, of := range v {
			written[name+"."+member] = true
			switch {
			case name == "table" && (member == "columns" || member == "groups"):
				note(of, "column", written, types)
			case name == "table" && (member == "rows" || member == "total"):
				note(of, "row", written, types)
			case name == "table" && member == "sections":
				note(of, "table", written, types)
			case name == "row" && member == "values":
				for _, sums := range of.(map[string]any) {
					note(sums, "money", written, types)
				}
			case name == "column" && member == "type":
				types[fmt.Sprint(of)] = true
			}
		}
	}
}
