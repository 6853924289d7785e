package exchange

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// RefusedRows writes refused rows as CSV that can be mended and imported
// again: the kind's columns under their fixed names with the texts as they
// came, then where the row stood and what is wrong with it. Semicolons and a
// byte order mark, so that Excel in Russian opens it. Files of one kind may
// share it; nothing is written until a row is refused. A line that could not
// be cut into cells stands whole in the last column.
type RefusedRows struct {
	w       io.Writer
	kind    Kind
	csv     *csv.Writer // nil until the header is written
	columns []string
}

// NewRefusedRows writes to w; the caller closes it.
func NewRefusedRows(w io.Writer, kind Kind) *RefusedRows {
	return &RefusedRows{w: w, kind: kind}
}

func (rr *RefusedRows) add(name string, r *row, f RowFault) error {
	if rr.csv == nil {
		if _, err := io.WriteString(rr.w, "\ufeff"); err != nil {
			return err
		}
		rr.csv = csv.NewWriter(rr.w)
		rr.csv.Comma = ';'
		for _, c := range columnsOf[rr.kind] {
			rr.columns = append(rr.columns, c.name)
		}
		rr.csv.Write(append(append([]string(nil), rr.columns...), refusedAt, refusedReason, refusedRow)) // Flush reports
	}
	cells := make([]string, len(rr.columns), len(rr.columns)+3)
	copy(cells, r.cells)
	for i, list := range r.lists {
		cells[i] = strings.Join(append([]string{cells[i]}, list...), "; ")
		cells[i] = strings.TrimPrefix(cells[i], "; ")
	}
	for i, column := range rr.columns {
		if column == attributes && len(r.attributes) > 0 {
			cells[i] = string(jsonText(r.attributes))
		}
	}
	reason := f.Reason
	if f.Field != "" {
		reason = f.Field + ": " + reason
	}
	cells = append(cells, fmt.Sprintf("%s:%d", name, f.Line), reason, r.raw)
	for i := range cells {
		cells[i] = Guard(cells[i])
	}
	rr.csv.Write(cells) // Flush reports
	rr.csv.Flush()
	return rr.csv.Error()
}
