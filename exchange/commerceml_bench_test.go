package exchange

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// manyOrders writes a file of schema 3.1 as it is read: containers of an order
// with five lines, a payment and a shipment, about 3 KB each.
func manyOrders(n, clients int) io.Reader {
	r, w := io.Pipe()
	go func() {
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><КоммерческаяИнформация xmlns="urn:1C.ru:commerceml_3" ВерсияСхемы="3.1" ДатаФормирования="2026-11-22T09:00:00">`+"\n")
		for i := range n {
			client := i % clients
			var goods strings.Builder
			for line := range 5 {
				fmt.Fprintf(&goods, `<Товар><Ид>00000000-0000-0000-0000-%012d#%d</Ид><Наименование>Товар номер %d</Наименование><БазоваяЕдиница Код="796">шт</БазоваяЕдиница><ЦенаЗаЕдиницу>100.00</ЦенаЗаЕдиницу><Количество>2</Количество><Сумма>200.00</Сумма></Товар>`, line, line, line)
			}
			_, err := fmt.Fprintf(w, `<Контейнер><Документ><Ид>order-%[1]d</Ид><НомерВерсии>1</НомерВерсии><Номер>%[1]d</Номер><Дата>2026-11-10</Дата><ХозОперация>Заказ товара</ХозОперация><Роль>Продавец</Роль><Валюта>RUB</Валюта><Курс>1</Курс><Сумма>1000.00</Сумма><СрокПлатежа>2026-12-15</СрокПлатежа>`+
				`<Контрагенты><Контрагент><Ид>client-%[2]d</Ид><Наименование>Клиент %[2]d</Наименование><Роль>Покупатель</Роль><ИНН>77%08[2]d</ИНН><Контакты><Контакт><Тип>Электронная почта</Тип><Значение>office@client%[2]d.test</Значение></Контакт></Контакты></Контрагент></Контрагенты><Товары>%[3]s</Товары></Документ>`+
				`<Документ><Ид>pay-%[1]d</Ид><Номер>%[1]d</Номер><Дата>2026-11-11</Дата><Основание>order-%[1]d</Основание><ХозОперация>Выплата безналичных денег</ХозОперация><Валюта>RUB</Валюта><Сумма>300.00</Сумма></Документ>`+
				`<Документ><Ид>ship-%[1]d</Ид><Номер>%[1]d</Номер><Дата>2026-11-12</Дата><Основание>order-%[1]d</Основание><ХозОперация>Отпуск товара</ХозОперация><Валюта>RUB</Валюта><Сумма>600.00</Сумма></Документ></Контейнер>`+"\n",
				i, client, goods.String())
			if err != nil {
				return
			}
		}
		fmt.Fprint(w, `</КоммерческаяИнформация>`)
		w.Close()
	}()
	return r
}

// BenchmarkCommerceML imports 50,000 orders of 5,000 clients with a payment
// and a shipment each. The figures of issue 5: 60 s and 200 MB.
func BenchmarkCommerceML(b *testing.B) {
	for b.Loop() {
		st := storetest.SQLite(b, testStore)
		most, stop := watchMemory()
		counted := &counter{r: manyOrders(50_000, 5_000)}
		start := time.Now()
		sum, err := ImportCommerceML(b.Context(), st, CommerceMLOptions{Actor: store.Actor{Origin: store.FromImport}}, counted)
		if err != nil || sum.Orders.New != 50_000 || sum.Documents.New != 100_000 {
			b.Fatalf("%+v, error %v", sum, err)
		}
		stop()
		b.ReportMetric(time.Since(start).Seconds(), "s/file")
		b.ReportMetric(float64(counted.n)/1e6, "MB/file")
		b.ReportMetric(float64(most())/1e6, "MB-from-OS")
	}
}

// watchMemory follows what the program holds of the system's memory.
func watchMemory() (most func() uint64, stop func()) {
	end, done, peak := make(chan struct{}), make(chan struct{}), uint64(0)
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.Sys-m.HeapReleased)
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { return peak }, func() { close(end); <-done }
}
