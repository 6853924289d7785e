// Command intouchd watches mailboxes, serves calendars and pages, runs jobs
// and mails digests: it reads the settings, builds the rooms of the house in
// one place (app.go) and offers them as commands, one file each. What the
// rooms do is in their own packages; nobody imports this one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes that scripts of others rely on (design.md section 3).
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or settings
)

func main() {
	tuneCollector()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code. The first SIGINT or
// SIGTERM asks the command to end; after it the signals have their usual
// effect again, so a second one kills.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	p := &program{in: stdin, out: stdout, err: stderr}
	root := p.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var bad *usageError
	var faults *Faults
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, faults)
		return exitUsage
	case errors.As(err, &bad):
		fmt.Fprintf(stderr, "intouchd: %v\n", bad)
		return exitUsage
	case errors.Is(err, errReported):
		return exitFailed
	}
	fmt.Fprintf(stderr, "intouchd: %v\n", err)
	return exitFailed
}

// program is what every command shares: where it reads and writes, and which
// settings it works on. Data goes to out, messages to err.
type program struct {
	in         io.Reader
	out, err   io.Writer
	configFile string // --config; "" asks $INTOUCH_CONFIG, then ./config.toml
	imports    int    // that this process has noted
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "intouchd",
		Short:         "Letters become contacts, contacts become a calendar",
		Version:       versionLine(),
		SilenceErrors: true, // run prints them, once
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // so that an unknown command comes to RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; see intouchd --help", args[0])
			}
			cmd.SetOut(p.err)
			cmd.Help()
			return usage("no command given")
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%v", err) })
	root.PersistentFlags().StringVar(&p.configFile, "config", "", "settings `FILE` (default $INTOUCH_CONFIG, then ./config.toml)")
	root.AddCommand(
		p.serveCommand(),
		p.demoCommand(),
		p.initCommand(),
		p.checkCommand(),
		p.readyCommand(),
		p.syncCommand(),
		p.auditCommand(),
		p.importCommand(),
		p.exportCommand(),
		p.questionsCommand(),
		p.reportCommand(),
		p.managerCommand(),
		p.mailboxCommand(),
		p.clientCommand(),
		p.clientsCommand(),
		p.webhookCommand(),
		p.blockCommand(),
		p.integrationCommand(),
		p.exchangeCommand(),
		p.personsCommand(),
		p.calendarCommand(),
		p.jobCommand(),
		p.jobsCommand(),
		p.outboxCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.moveCommand(),
		p.holidaysCommand(),
		p.manCommand(),
		p.versionCommand(),
	)
	return root
}

// group makes a command of commands: alone it is wrong usage, and says which
// there are.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	last := len(names) - 1
	all := strings.Join(names[:last], ", ") + " and " + names[last]
	cmd.Args = cobra.ArbitraryArgs // so that an unknown command comes to RunE
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("%s: there is no command %q; there are %s", cmd.Name(), args[0], all)
		}
		return usage("%s: give one of %s", cmd.Name(), all)
	}
	cmd.AddCommand(commands...)
	return cmd
}

// usageError is a command line that cannot be understood: exit code 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// errReported ends a command with exit code 1 when it has already said on
// stderr what went wrong.
var errReported = errors.New("already reported")

// takes wraps one of cobra's argument checks so that its complaint is wrong
// usage.
func takes(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%s: %v", cmd.CommandPath(), err)
		}
		return nil
	}
}

// completions are the words that a shell completes an argument with.
func completions[T ~string](words []T) []cobra.Completion {
	all := make([]cobra.Completion, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}
