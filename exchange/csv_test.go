package exchange

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// cut reads all records of a text, its first the header.
func cut(t testing.TB, text string) (all [][]string, refused int) {
	t.Helper()
	in, err := openLines(strings.NewReader(text))
	if err != nil {
		return nil, 0
	}
	r := &records{in: in}
	cells, err := r.header()
	for {
		switch {
		case err == nil:
			all = append(all, cells)
		case isRowFault(err):
			refused++
		case errors.Is(err, io.EOF):
			return all, refused
		default:
			t.Fatal(err)
		}
		cells, _, err = r.next()
	}
}

func TestRecords_Quotes(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		want    [][]string
		refused int
	}{
		{"doubled", "a;b\n\"x\"\"y\";\"\"\n", [][]string{{"a", "b"}, {`x"y`, ""}}, 0},
		{"separator inside", "a;b\n\"x;y\";z\n", [][]string{{"a", "b"}, {"x;y", "z"}}, 0},
		{"line ends inside", "a;b\n\"x\r\ny\n\";z\n", [][]string{{"a", "b"}, {"x\ny\n", "z"}}, 0},
		{"spaces around", "a;b\n \"x\" ;z\n", [][]string{{"a", "b"}, {"x", "z"}}, 0},
		{"inside a bare cell", "a;b\nООО \"Ромашка\";z\n", [][]string{{"a", "b"}, {`ООО "Ромашка"`, "z"}}, 0},
		{"not doubled", "a;b\n\"ООО \"Ромашка\" и К\";z\n", [][]string{{"a", "b"}, {`ООО "Ромашка" и К`, "z"}}, 0},
		{"not doubled at the end", "a;b\n\"ООО \"Ромашка\"\";z\nx;y\n", [][]string{{"a", "b"}, {`ООО "Ромашка"`, "z"}, {"x", "y"}}, 0},
		{"a word in quotes begins the cell", "a;b\n\"Ромашка\" ООО;z\nx;y\n", [][]string{{"a", "b"}, {`"Ромашка" ООО`, "z"}, {"x", "y"}}, 0},
		{"stray, then cells with quotes", "a;b\n\"x;z\n1;\"two\"\n3;4\n", [][]string{{"a", "b"}, {`"x`, "z"}, {"1", "two"}, {"3", "4"}}, 0},
		{"stray, then a cell with line ends", "a;b\nq;\"x\n1;\"two\nlines\"\n3;4\n", [][]string{{"a", "b"}, {"q", `"x`}, {"1", "two\nlines"}, {"3", "4"}}, 0},
		{"stray that hides a separator", "a;b\n\"x\n3;4\n", [][]string{{"a", "b"}, {"3", "4"}}, 1},
		{"line ends in the header", "a;\"b\nc\"\n1;2\n", [][]string{{"a", "b\nc"}, {"1", "2"}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, refused := cut(t, tt.in)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("records differ (-want +got):\n%s", d)
			}
			if refused != tt.refused {
				t.Errorf("%d refused, want %d", refused, tt.refused)
			}
		})
	}
}

// TestRecords_EndlessQuote: a quote that nobody closes costs one line, however
// long the file is.
func TestRecords_EndlessQuote(t *testing.T) {
	text := "a;b\n1;2\n\"x\n" + strings.Repeat("3;4\n", 5*maxRecordLines)
	got, refused := cut(t, text)
	if want := 2 + 5*maxRecordLines; len(got) != want || refused != 1 {
		t.Errorf("%d records and %d refused, want %d and 1", len(got), refused, want)
	}
}

// FuzzRecords: nothing panics or hangs, cells are UTF-8, records have bounds,
// and what encoding/csv writes is read as it was.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("id;name\n1;\"a\"\"b\"\n2;\"x\ny\"\n"))
	f.Add([]byte("\xff\xfei\x00d\x00\n\x00"))
	f.Add([]byte("id,\xcd\xe0\xe8\xec\n1,\"\n"))
	f.Add([]byte("sep=,\n\"\"\"\n\"a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, _ := cut(t, string(data))
		var again bytes.Buffer
		w := csv.NewWriter(&again)
		w.Comma = ';'
		for _, cells := range all {
			if len(cells) > maxColumns {
				t.Fatalf("%d columns", len(cells))
			}
			for i, c := range cells {
				if !utf8.ValidString(c) {
					t.Fatalf("cell %q is not UTF-8", c)
				}
				cells[i] = strings.ReplaceAll(c, "\r", "")
			}
		}
		if len(all) == 0 || len(all[0]) < 2 || strings.Trim(strings.Join(all[0], ""), " \t,;\n") == "" {
			return
		}
		width := len(all[0])
		kept := all[:0]
		for _, cells := range all {
			if len(cells) == width && strings.Count(strings.Join(cells, ""), "\n") < maxRecordLines/2 {
				kept = append(kept, cells)
			}
		}
		for _, cells := range kept {
			w.Write(cells)
		}
		w.Flush()
		if strings.HasPrefix(again.String(), "sep=") || separator(strings.SplitN(again.String(), "\n", 2)[0]) != ';' || again.Len() > maxLine {
			return
		}
		got, refused := cut(t, "\ufeff"+again.String())
		if d := cmp.Diff(kept, got); d != "" || refused > 0 {
			t.Fatalf("%d refused; records differ (-want +got):\n%s", refused, d)
		}
	})
}

func TestGuard(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"plain":                  "plain",
		"=1+1":                   "'=1+1",
		"+cmd|' /C calc'!A0":     "'+cmd|' /C calc'!A0",
		"@SUM(A1)":               "'@SUM(A1)",
		"-2+3+cmd":               "'-2+3+cmd",
		"\t=x":                   "'\t=x",
		"-12.50":                 "-12.50",
		"+7 (495) 123-45-67":     "+7 (495) 123-45-67",
		"+7 495 1, +7 916 2":     "+7 495 1, +7 916 2",
		"'=x":                    "''=x",
		"'quoted' text":          "'quoted' text",
		"it's = fine":            "it's = fine",
		"- список\n- из пунктов": "'- список\n- из пунктов",
	} {
		got := Guard(in)
		if got != want {
			t.Errorf("Guard(%q) = %q, want %q", in, got, want)
		}
		if back := unguard(got); back != in {
			t.Errorf("unguard(%q) = %q, want %q", got, back, in)
		}
	}
}
