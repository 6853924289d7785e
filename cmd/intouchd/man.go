package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"intouch"
)

func (p *program) manCommand() *cobra.Command {
	const pages = "intouchd and intouchd.toml"
	return &cobra.Command{
		Use:   "man PAGE",
		Short: "Print a manual page: " + pages,
		Long: "Prints a manual page: intouchd (section 1, all commands) or intouchd.toml (section 5, all settings). Where it is not\n" +
			"installed, read it with:\n\n" +
			"  intouchd man intouchd.toml | man -l -",
		Args:      takes(cobra.ExactArgs(1)),
		ValidArgs: []string{"intouchd", "intouchd.toml"},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "intouchd":
				fmt.Fprint(p.out, commandsPage(cmd.Root()))
			case "intouchd.toml":
				fmt.Fprint(p.out, settingsPage(intouch.ConfigExample))
			default:
				return usage("man: there is no page %q; there are %s", args[0], pages)
			}
			return nil
		},
	}
}

// page is a manual page being written, in the macros of man(7).
type page struct {
	strings.Builder
	headed bool // nothing stands below the last heading yet
}

func newPage(title, section, what string) *page {
	p := &page{}
	p.macro("TH", title, section, buildDate(), "intouchd "+version, "Intouch")
	p.heading("NAME")
	p.line(strings.ToLower(title) + ` \- ` + what)
	return p
}

// macro writes a line with quoted arguments; it takes them escaped.
func (p *page) macro(name string, args ...string) {
	p.headed = name == "SH" || name == "SS"
	p.WriteString("." + name)
	for _, a := range args {
		p.WriteString(` "` + strings.ReplaceAll(a, `"`, `\(dq`) + `"`)
	}
	p.WriteByte('\n')
}

func (p *page) heading(text string)    { p.macro("SH", text) }
func (p *page) subheading(text string) { p.macro("SS", text) }

// line writes escaped text.
func (p *page) line(text string) {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	p.headed = false
	p.WriteString(text + "\n")
}

// paragraph begins a new one.
func (p *page) paragraph() {
	if !p.headed {
		p.macro("PP")
	}
}

// item is a term and, indented below it, what it means.
func (p *page) item(term, text string) {
	p.macro("TP")
	p.line(`\fB` + term + `\fR`)
	if text == "" {
		p.line(`\&`)
		return
	}
	p.text(text)
}

// text writes lines as paragraphs; indented ones keep their form.
func (p *page) text(text string) {
	kept := false
	keep := func(on bool) {
		if on && !kept {
			p.macro("nf")
		} else if !on && kept {
			p.macro("fi")
		}
		kept = on
	}
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, l := range lines {
		switch {
		case strings.TrimSpace(l) != "":
			keep(strings.HasPrefix(l, "  ") || strings.HasPrefix(l, "\t"))
			p.line(escape(strings.ReplaceAll(l, "\t", "    ")))
		case i > 0:
			keep(false)
			p.macro("sp")
		}
	}
	keep(false)
}

// escape makes plain text safe for roff, with hyphens that can be copied.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}

// commandsPage is intouchd(1), by the commands' own help.
func commandsPage(root *cobra.Command) string {
	p := newPage("INTOUCHD", "1", escape(strings.ToLower(root.Short[:1])+root.Short[1:]))
	p.heading("SYNOPSIS")
	p.line(`\fBintouchd\fR [\fB\-\-config\fR \fIFILE\fR] \fICOMMAND\fR [\fIarguments\fR] [\fIflags\fR]`)
	p.heading("DESCRIPTION")
	p.text(`intouchd follows mailboxes by IMAP and keeps the letters in them as contacts with clients, serves what is
planned by CalDAV and CardDAV to calendar programs and address books, shows pages and an API, takes orders from accounting
systems, and mails digests, reminders and reports.

"intouchd init" writes the first settings, "intouchd check --online" tries them, "intouchd serve" runs the daemon, and
"intouchd demo" shows everything on a made-up company. Data go to stdout, messages to stderr.`)
	p.heading("OPTIONS")
	p.flags(root.PersistentFlags())
	p.item(escape("--help"), "What a command does and takes.")
	p.item(escape("--version"), "The version.")
	p.heading("COMMANDS")
	p.commands(root)
	p.heading("EXIT STATUS")
	p.item(fmt.Sprint(exitDone), "Done.")
	p.item(fmt.Sprint(exitFailed), "It failed; stderr says why.")
	p.item(fmt.Sprint(exitUsage), "Wrong usage or settings; nothing was done.")
	p.heading("ENVIRONMENT")
	p.item("INTOUCH_CONFIG", "The settings file where --config is not given.")
	p.item("NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS", "Set by systemd(1): see sd_notify(3) and sd_listen_fds(3). A socket passed counts instead of server.listen.")
	p.heading("FILES")
	p.item("/etc/intouch/config.toml", "The settings of the Debian package's service.")
	p.item("/var/lib/intouch", "Its database and what else it keeps.")
	p.heading("SEE ALSO")
	p.line(`\fBintouchd.toml\fR(5), \fBsystemctl\fR(1)`)
	return p.String()
}

// commands writes the commands below one, those of groups after them.
func (p *page) commands(of *cobra.Command) {
	for _, c := range of.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		if strings.HasPrefix(c.CommandPath(), "intouchd completion ") {
			continue // the shells, which the group names
		}
		p.subheading(escape(strings.TrimPrefix(strings.TrimSuffix(c.UseLine(), " [flags]"), "intouchd ")))
		if c.Long != "" {
			p.text(c.Long)
		} else {
			p.text(c.Short + ".")
		}
		p.flags(c.LocalNonPersistentFlags())
		p.commands(c)
	}
}

func (p *page) flags(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		term := escape("--" + f.Name)
		if f.Shorthand != "" {
			term = escape("-"+f.Shorthand) + ", " + term
		}
		if value != "" {
			term += `\fR \fI` + escape(value)
		}
		if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "0s" && d != "[]" {
			text += " (by default " + d + ")"
		}
		p.item(term, text)
	})
}

// Lines of config.example.toml.
var (
	exampleTable = regexp.MustCompile(`^#?(\[+[a-z_.]+\]+)$`)
	exampleKey   = regexp.MustCompile(`^#?([a-z_-]+ = .*?)(?:\s{2,}# (.*))?$`)
	exampleProse = regexp.MustCompile(`^# ?(.*)$`)
)

// settingsPage is intouchd.toml(5), by config.example.toml: its comments are
// the text, its keys the items.
func settingsPage(example string) string {
	p := newPage("INTOUCHD.TOML", "5", "settings of intouchd")
	p.heading("DESCRIPTION")
	p.text(`All settings of intouchd, as TOML. What stands behind a key is its default, or an example where it has none. "intouchd
check" names every fault with its line. Relative paths start in the directory of the settings file.`)
	_, example, _ = strings.Cut(example, "\n\n") // the same, of the example itself
	var prose []string                           // waits for what it is about
	flush := func() {
		if len(prose) > 0 {
			p.paragraph()
			p.text(strings.Join(prose, "\n"))
		}
		prose = nil
	}
	keys := false // the heading of the keys outside of tables is written
	for line := range strings.Lines(example) {
		line = strings.TrimRight(line, "\n")
		if m := exampleTable.FindStringSubmatch(line); m != nil {
			p.heading(escape(m[1]))
			flush()
			keys = true
		} else if m := exampleKey.FindStringSubmatch(line); m != nil {
			if !keys {
				p.heading("TOP LEVEL")
				keys = true
			}
			flush()
			p.item(escape(m[1]), m[2])
		} else if m := exampleProse.FindStringSubmatch(line); m != nil {
			prose = append(prose, m[1])
		} else if !keys {
			flush()
		}
	}
	flush()
	p.heading("FILES")
	p.item("/etc/intouch/config.toml", "Where the service of the Debian package has them; else what --config or $INTOUCH_CONFIG names, or ./config.toml.")
	p.heading("SEE ALSO")
	p.line(`\fBintouchd\fR(1)`)
	return p.String()
}
