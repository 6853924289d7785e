package exchange

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// ExportOptions say what to write and how.
type ExportOptions struct {
	Kind   Kind
	Format Format // JSONL when empty
	// Excel writes CSV as Excel in Russian opens it: semicolons and a byte
	// order mark. Import reads both.
	Excel bool
}

// Export writes all records of a kind, in the order of their ids, with the
// columns of design.md section 3 in their order. Memory does not grow with
// their number. What was exported can be imported, letters and questions
// excepted; of contacts that are letters only what a person would note comes in.
//
// JSONL: sums are numbers with two decimals, lists arrays, times RFC 3339 in
// UTC; what is not there is "", of sums and times null. CSV: lists are
// separated by spaces, phones by commas, nested values are JSON; texts that a
// spreadsheet would take for a formula begin with an apostrophe.
func Export(ctx context.Context, st *store.Store, opt ExportOptions, w io.Writer) error {
	if err := KnownKind(opt.Kind, ExportKinds); err != nil {
		return err
	}
	t := tables[opt.Kind]
	buffered := bufio.NewWriterSize(w, 64<<10)
	var write func(values []any) error
	finish := buffered.Flush
	switch opt.Format {
	case "", JSONL:
		write = objectWriter(buffered, t.columns)
	case CSV:
		out := csv.NewWriter(buffered)
		if opt.Excel {
			out.Comma = ';'
			buffered.WriteString("\ufeff") // Flush reports
		}
		if err := out.Write(t.columns); err != nil {
			return err
		}
		write = rowWriter(out)
		finish = func() error {
			out.Flush()
			return errors.Join(out.Error(), buffered.Flush())
		}
	default:
		return fmt.Errorf("unknown format %q: it is one of %s", opt.Format, Names(Formats))
	}
	if err := t.each(ctx, st, write); err != nil {
		return fmt.Errorf("export %s: %w", opt.Kind, err)
	}
	return finish()
}

// objectWriter writes one JSON object a line, its keys in the order of the
// columns.
func objectWriter(w *bufio.Writer, columns []string) func([]any) error {
	keys := make([][]byte, len(columns))
	for i, name := range columns {
		keys[i] = jsonText(name)
	}
	return func(values []any) error {
		for i, v := range values {
			if i == 0 {
				w.WriteByte('{') // Flush reports
			} else {
				w.WriteByte(',')
			}
			w.Write(keys[i])
			w.WriteByte(':')
			w.Write(jsonText(v))
		}
		_, err := w.WriteString("}\n")
		return err
	}
}

// rowWriter writes CSV rows.
func rowWriter(w *csv.Writer) func([]any) error {
	var cells []string
	return func(values []any) error {
		cells = cells[:0]
		for _, v := range values {
			cells = append(cells, cell(v))
		}
		return w.Write(cells)
	}
}

// phones is a list of texts that may hold spaces.
type phones []string

// decimal is a number that is written with exactly these digits; "" is none.
type decimal string

func (d decimal) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("null"), nil
	}
	return []byte(d), nil
}

// instant is a time, written in UTC; the zero one is none.
type instant time.Time

func (t instant) String() string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format(time.RFC3339)
}

func (t instant) MarshalJSON() ([]byte, error) {
	if s := t.String(); s != "" {
		return []byte(`"` + s + `"`), nil
	}
	return []byte("null"), nil
}

// sum writes minor units as a decimal number.
func sum(minor int64) decimal { return decimal(store.Money{Minor: minor}.Plain()) }

// knownSum is none where the sum is not known.
func knownSum(m *store.Money) decimal {
	if m == nil {
		return ""
	}
	return sum(m.Minor)
}

// key is another system's key, null in JSON where there is none.
func key(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// jsonText is v as JSON without the escapes that only HTML needs. Lists and
// objects that are nil are empty ones.
func jsonText(v any) []byte {
	switch list := v.(type) {
	case []string:
		if list == nil {
			return []byte("[]")
		}
	case phones:
		if list == nil {
			return []byte("[]")
		}
	case []int64:
		if list == nil {
			return []byte("[]")
		}
	case []store.Attachment:
		if list == nil {
			return []byte("[]")
		}
	case map[string]string:
		if list == nil {
			return []byte("{}")
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // values are of the types above, texts and numbers
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// cell is v as the text of a CSV cell.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return Guard(v)
	case []string:
		return Guard(strings.Join(v, " "))
	case phones:
		return Guard(strings.Join(v, ", "))
	case decimal:
		return string(v)
	case instant:
		return v.String()
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	case []int64:
		texts := make([]string, len(v))
		for i, n := range v {
			texts[i] = strconv.FormatInt(n, 10)
		}
		return strings.Join(texts, " ")
	case []store.Attachment:
		if len(v) == 0 {
			return ""
		}
	case map[string]string:
		if len(v) == 0 {
			return ""
		}
	}
	return string(jsonText(v))
}
