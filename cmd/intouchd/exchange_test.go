package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// exchangeHouse is a daemon that 1C can reach.
type exchangeHouse struct {
	t      *testing.T
	config string
	url    string
	token  string
	daemon *daemon
}

func newExchangeHouse(t *testing.T) *exchangeHouse {
	t.Helper()
	addr, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &exchangeHouse{t: t, url: "http://" + addr + "/exchange/1c"}
	h.config = settings(t, "[company]\ndomains = [\"vector.test\"]\n[server]\nlisten = \""+addr+"\"\n[store]\nurl = \"sqlite:intouch.db\"\n[exchange]\nfile_limit_mb = 1\n")
	got := command(t, "", "--config", h.config, "integration", "add", "1c", "--scope", "exchange")
	if got.code != exitDone {
		t.Fatalf("integration add: %+v", got)
	}
	h.token = strings.TrimSpace(got.stdout)
	h.start()
	return h
}

func (h *exchangeHouse) start() {
	h.t.Helper()
	h.daemon = startDaemon(h.t, "--config", h.config, "serve")
	eventually(h.t, "serving", func() bool {
		status, _ := fetch(h.t, strings.TrimSuffix(h.url, "/exchange/1c")+"/healthz")
		return status == 200
	})
}

// kill ends the daemon as a power cut would.
func (h *exchangeHouse) kill() {
	h.t.Helper()
	if err := h.daemon.cmd.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	h.daemon.cmd.Wait()
}

// oneC runs the script that goes through an exchange as 1C does.
func (h *exchangeHouse) oneC(args ...string) *exec.Cmd {
	h.t.Helper()
	var options, files []string
	for _, a := range args {
		if strings.HasPrefix(a, "--") || len(files) == 0 && !strings.HasSuffix(a, ".xml") {
			options = append(options, a)
		} else {
			files = append(files, a)
		}
	}
	cmd := exec.Command("sh", append(append(append([]string{filepath.Join("..", "..", "exchange", "testdata", "1c.sh")}, options...), h.url, "1c", h.token), files...)...)
	cmd.WaitDelay = time.Minute
	return cmd
}

// log is what intouchd exchange log tells, the newest file first.
func (h *exchangeHouse) log() (files []exchangeLine) {
	h.t.Helper()
	got := command(h.t, "", "--config", h.config, "exchange", "log", "--json")
	if got.code != exitDone {
		h.t.Fatalf("exchange log: %+v", got)
	}
	for line := range strings.Lines(got.stdout) {
		var f exchangeLine
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			h.t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

type exchangeLine struct {
	ID     int64                `json:"id"`
	File   string               `json:"file"`
	State  store.ExchangeState  `json:"state"`
	Report store.ExchangeReport `json:"report"`
}

// TestExchange is the administrator's way: an account, exchanges of old and new
// 1C, what was refused, mended and imported.
func TestExchange(t *testing.T) {
	peer(t, "curl", "curl")
	peer(t, "zip", "zip")
	h := newExchangeHouse(t)
	samples, err := filepath.Glob(filepath.Join("..", "..", "exchange", "testdata", "commerceml-*.xml"))
	if err != nil || len(samples) != 3 {
		t.Fatalf("samples %v, error %v", samples, err)
	}
	for _, stop := range []string{"checkauth", "init", "query", "part"} {
		if text, err := h.oneC("--stop-after", stop, samples[0]).CombinedOutput(); err != nil {
			t.Errorf("exchange until %s: %v\n%s", stop, err, text)
		}
	}
	for _, way := range [][]string{{"--old"}, {"--zip"}, {}} {
		text, err := h.oneC(append(way, samples...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(text), "заказы: новых") {
			t.Errorf("exchange %q: %v\n%s", way, err, text)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.xml")
	text := strings.Replace(commerceMLOrders("b", 2), "<Сумма>1000.00</Сумма><Кон", "<Сумма>ten</Сумма><Кон", 1)
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := h.oneC(bad).CombinedOutput(); err != nil || !strings.Contains(string(text), "заказы: новых 1") || !strings.Contains(string(text), `не принято: 1, первое: строка 2 (b-0): Сумма: "ten" — не сумма`) {
		t.Errorf("exchange of a bad order: %v\n%s", err, text)
	}
	files := h.log()
	if len(files) == 0 || files[0].File != "bad.xml" || files[0].Report.Orders.Refused != 1 || len(files[0].Report.Faults) != 1 {
		t.Fatalf("exchange log: %+v", files)
	}
	got := command(t, "", "--config", h.config, "exchange", "refused", fmt.Sprint(files[0].ID))
	mended := filepath.Join(t.TempDir(), "mended.xml")
	if err := os.WriteFile(mended, []byte(strings.Replace(got.stdout, ">ten<", ">1000.00<", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "", "--config", h.config, "import", "commerceml", mended); got.code != exitDone || !strings.Contains(got.stderr+got.stdout, "orders") {
		t.Errorf("import of the mended order: %+v", got)
	}
	if deals := exported(t, h.config, "deals"); len(deals) != 9 {
		t.Errorf("%d deals", len(deals))
	}
	for _, args := range [][]string{{"exchange"}, {"exchange", "refused", "x"}, {"exchange", "log", "--limit", "0"}} {
		if got := command(t, "", append([]string{"--config", h.config}, args...)...); got.code != exitUsage {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if got := command(t, "", "--config", h.config, "exchange", "refused", "999"); got.code != exitFailed {
		t.Errorf("refused of an unknown file: %+v", got)
	}
	h.daemon.end(t)
}

// commerceMLOrders is a file of orders, each in its line.
func commerceMLOrders(prefix string, n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><КоммерческаяИнформация ВерсияСхемы="2.08">` + "\n")
	for i := range n {
		fmt.Fprintf(&b, `<Документ><Ид>%[1]s-%[2]d</Ид><Номер>%[2]d</Номер><Дата>2026-11-10</Дата><ХозОперация>Заказ товара</ХозОперация><Роль>Продавец</Роль><Валюта>RUB</Валюта><Сумма>1000.00</Сумма><Контрагенты><Контрагент><Ид>c</Ид><Наименование>Клиент</Наименование><Роль>Покупатель</Роль></Контрагент></Контрагенты></Документ>`+"\n", prefix, i)
	}
	b.WriteString("</КоммерческаяИнформация>\n")
	return b.String()
}

// TestExchange_Killed: the daemon is killed while a file comes, and while it is
// imported. The first leaves nothing, the second is imported all the same.
func TestExchange_Killed(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	peer(t, "curl", "curl")
	h := newExchangeHouse(t)
	const orders = 8000
	file := filepath.Join(t.TempDir(), "orders.xml")
	if err := os.WriteFile(file, []byte(commerceMLOrders("k", orders)), 0o600); err != nil {
		t.Fatal(err)
	}
	send := func() (said *said, done chan error) {
		said, done = sayings(h.oneC(file))
		return said, done
	}
	said, done := send()
	eventually(t, "a part", func() bool { return strings.Contains(said.String(), "part of") })
	h.kill()
	if err := <-done; err == nil {
		t.Fatalf("1C took it for done:\n%s", said)
	}
	h.start()
	if deals := exported(t, h.config, "deals"); len(deals) != 0 {
		t.Errorf("of half a file %d deals are there", len(deals))
	}

	said, done = send()
	eventually(t, "the import", func() bool {
		files := h.log()
		return len(files) > 0 && files[0].State == store.ExchangeImporting
	})
	h.kill()
	<-done
	h.start()
	within(t, 2*time.Minute, "the import after the kill", func() bool { return h.log()[0].State == store.ExchangeDone })
	if f := h.log()[0]; f.Report.Orders.New+f.Report.Orders.Unchanged != orders {
		t.Errorf("report %+v", f)
	}
	if deals := exported(t, h.config, "deals"); len(deals) != orders {
		t.Errorf("%d deals of %d", len(deals), orders)
	}
	if text, err := h.oneC(file).CombinedOutput(); err != nil || !strings.Contains(string(text), fmt.Sprintf("новых 0, изменено 0, без изменений %d", orders)) {
		t.Errorf("the same again: %v\n%s", err, text)
	}
}

// sayings starts a program and follows what it says.
func sayings(cmd *exec.Cmd) (*said, chan error) {
	out, done := &said{}, make(chan error, 1)
	cmd.Stdout, cmd.Stderr = out, out
	go func() { done <- cmd.Run() }()
	return out, done
}
