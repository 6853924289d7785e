package exchange

import (
	"fmt"
	"io"
	"testing"

	"intouch/store/storetest"
)

// BenchmarkImport_Clients takes 10,000 clients and their 20,000 persons from
// CSV into an empty store. The figure to reach is 100,000 and 200,000 in 30 s
// and 150 MB (measured with the binary: /usr/bin/time -v).
func BenchmarkImport_Clients(b *testing.B) {
	const clients = 10_000
	rows := func(header string, n int, line func(io.Writer, int)) io.Reader {
		r, w := io.Pipe()
		go func() {
			fmt.Fprintln(w, header)
			for i := range n {
				line(w, i)
			}
			w.Close()
		}()
		return r
	}
	for b.Loop() {
		st := storetest.SQLite(b, testStore)
		for _, one := range []struct {
			kind Kind
			r    io.Reader
			rows int
		}{
			{Clients, rows("Код;Наименование;Эл. почта;Телефон;ИНН", clients, func(w io.Writer, i int) {
				fmt.Fprintf(w, "c%d;ООО Компания %d;info@c%d.test;+7 495 %07d;%d\n", i, i, i, i, 7700000000+i)
			}), clients},
			{Persons, rows("Код;Клиент;ФИО;Эл. почта;Телефон;День рождения", 2*clients, func(w io.Writer, i int) {
				fmt.Fprintf(w, "p%d;c%d;Иванов Иван %d;p%d@c%d.test;+7 916 %07d;01.02.1980\n", i, i/2, i, i, i/2, i)
			}), 2 * clients},
		} {
			sum, err := Import(b.Context(), st, options(one.kind), one.r)
			if err != nil || sum.New != one.rows {
				b.Fatalf("%s: %+v, %v", one.kind, sum, err)
			}
		}
	}
	b.ReportMetric(3*clients*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
