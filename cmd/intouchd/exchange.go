package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/store"
)

// exchangeCommand shows what came in the exchange that 1C drives.
func (p *program) exchangeCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "exchange",
		Short: "What 1C has sent: log, refused",
		Long: "1C sends orders by itself to " + exchange.OneCPath + " of this server. In its settings of the exchange with a site, the address of\n" +
			"the site is that page, the user is an integration's name, and the password its token (intouchd integration add NAME --scope exchange).",
	}, p.exchangeLog(), p.exchangeRefused())
}

func (p *program) exchangeLog() *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "log",
		Short: "List what came, the newest first",
		Long:  "Lists the files that 1C sent in the last 90 days: when, by which integration, what became of them, and what 1C's user was told.",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return usage("exchange log: --limit is from 1 to 10000")
			}
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			files, err := st.ExchangeFiles(cmd.Context(), limit)
			if err != nil {
				return fmt.Errorf("read the records of the exchange: %w", err)
			}
			if asJSON {
				return p.exchangeJSON(files)
			}
			zone, err := time.LoadLocation(cfg.TimeZone)
			if err != nil {
				return fmt.Errorf("time zone %s: %w", cfg.TimeZone, err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tCAME\tINTEGRATION\tFILE\tKB\tSTATE\tORDERS\tDOCUMENTS\tOPEN\tREFUSED\tTOLD")
			for _, f := range files {
				r := &f.Report
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%d+%d\t%d+%d\t%d\t%d\t%s\n", f.ID, f.Created.In(zone).Format("2006-01-02 15:04:05"), f.Integration, f.Name, (f.Size+1023)/1024, f.State,
					r.Orders.New, r.Orders.Changed, r.Others.New, r.Others.Changed, r.Kept(), r.Refused(), r.Message)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if len(files) > 0 {
				fmt.Fprintln(p.err, "ORDERS and DOCUMENTS are new+changed ones. OPEN: see intouchd questions. REFUSED: see intouchd exchange refused ID.")
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so `MANY`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one object a line, with the faults")
	return cmd
}

// exchangeJSON prints a line for each file.
func (p *program) exchangeJSON(files []store.ExchangeFile) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	for _, f := range files {
		line := struct {
			ID          int64                `json:"id"`
			Integration string               `json:"integration"`
			Name        string               `json:"file"`
			State       store.ExchangeState  `json:"state"`
			Bytes       int64                `json:"bytes"`
			Created     string               `json:"created"`
			Started     string               `json:"started,omitempty"`
			Finished    string               `json:"finished,omitempty"`
			Report      store.ExchangeReport `json:"report"`
		}{f.ID, f.Integration, f.Name, f.State, f.Size, moment(f.Created), moment(f.Started), moment(f.Finished), f.Report}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) exchangeRefused() *cobra.Command {
	return &cobra.Command{
		Use:   "refused ID",
		Short: "Print the papers of a file that were refused",
		Long: "Prints the papers of a file that were refused as CommerceML, each after a comment with its fault. Mended, they come in by\n" +
			"\"intouchd import commerceml FILE\". Of one file at most 4 MB are kept.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(strings.TrimPrefix(args[0], "#"), 10, 64)
			if err != nil {
				return usage("exchange refused: %q is no number of a file; see intouchd exchange log", args[0])
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			papers, err := st.ExchangeRefused(cmd.Context(), id)
			switch {
			case errors.Is(err, store.ErrNotFound):
				return fmt.Errorf("there is no file %d; see intouchd exchange log", id)
			case err != nil:
				return fmt.Errorf("read the refused papers: %w", err)
			case len(papers) == 0:
				fmt.Fprintf(p.err, "of file %d no papers were refused\n", id)
				return nil
			}
			_, err = p.out.Write(papers)
			return err
		},
	}
}
