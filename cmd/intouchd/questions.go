package main

import (
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/store"
)

// questionsCommand shows what imports kept apart.
func (p *program) questionsCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "questions [list|apply|drop ID…]",
		Short: "Rows that lack something or do not add up: list, apply, drop",
		Long: "Imports keep a row apart that is right in itself but refers to a deal, client or document that is not here, or needs a rate that is\n" +
			"not known. It is taken by itself when that comes, and replaced by a newer row of its record. Of a record whose lines make another sum\n" +
			"the question only notes it. \"apply\" tries all again; \"drop\" gives questions up, with the rows that they keep.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("questions: there is no command %q; there are list, apply and drop", args[0])
			}
			return p.listQuestions(cmd, asJSON)
		},
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "Print what is open (as without a command)",
		Args:  takes(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.listQuestions(cmd, asJSON) },
	}
	for _, c := range []*cobra.Command{cmd, list} {
		c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line, with the rows as they came")
	}
	cmd.AddCommand(list, p.questionsApply(), p.questionsDrop())
	return cmd
}

func (p *program) listQuestions(cmd *cobra.Command, asJSON bool) error {
	cfg, st, err := p.open(cmd.Context())
	if err != nil {
		return err
	}
	defer st.Close()
	if asJSON {
		return exchange.Export(cmd.Context(), st, exchange.ExportOptions{Kind: exchange.Questions}, p.out)
	}
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tRECORD\tWHAT\tFROM\tSINCE")
	err = st.EachQuestion(cmd.Context(), func(q *store.Question) error {
		_, err := fmt.Fprintf(w, "%d\t%s %s\t%s\t%s:%d\t%s\n", q.ID, q.Kind, q.Key, q.Text(cfg.Language), q.File, q.Line, q.At.Format("2006-01-02 15:04"))
		return err
	})
	return errors.Join(err, w.Flush())
}

func (p *program) questionsApply() *cobra.Command {
	return &cobra.Command{
		Use:   "apply",
		Short: "Try all kept rows again",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			taken, left, err := st.ApplyQuestions(cmd.Context(), store.Actor{Origin: store.FromImport})
			if err != nil {
				return fmt.Errorf("apply questions: %w", err)
			}
			_, err = fmt.Fprintf(p.out, "%d taken, %d left\n", taken, left)
			return err
		},
	}
}

func (p *program) questionsDrop() *cobra.Command {
	return &cobra.Command{
		Use:   "drop ID…",
		Short: "Give questions up",
		Args:  takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]int64, len(args))
			for i, a := range args {
				id, err := strconv.ParseInt(a, 10, 64)
				if err != nil {
					return usage("questions drop: %q is not the number of a question", a)
				}
				ids[i] = id
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			missing := false
			for _, id := range ids {
				switch err := st.DropQuestion(cmd.Context(), store.Actor{Origin: store.FromImport}, id); {
				case errors.Is(err, store.ErrNotFound):
					missing = true
					fmt.Fprintf(p.err, "question %d: is not open\n", id)
				case err != nil:
					return fmt.Errorf("drop question %d: %w", id, err)
				default:
					fmt.Fprintf(p.err, "question %d: dropped\n", id)
				}
			}
			if missing {
				return errReported
			}
			return nil
		},
	}
}
