package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"intouch/mailsync"
	"intouch/store"
)

// mboxKind is the kind of "import" that takes letters: they go through
// mailsync, not exchange.
const mboxKind = "mbox"

// mboxHelp is its part of the help of import.
const mboxHelp = `

  mbox       archives of letters (mboxo, mboxrd, mboxcl; what Thunderbird, Apple Mail and Google Takeout write)

"import mbox --manager LOGIN FILE…" decides about each letter by the rules for mailboxes, as one of that manager's. The letters
are recorded as those of a mailbox "mbox:LOGIN", in a folder named after the file (or --folder), so "export letters" shows the
outcome of each. Nothing doubles: neither when the file is imported again, even after it has grown or been compacted, nor with
what IMAP brings. A letter that nobody knew is captured when the file is imported again after its client was registered.
Of one letter the first 4 MB are read.`

// importMbox takes archives of one manager's letters.
func (p *program) importMbox(ctx context.Context, files []string, manager, folder string, dry bool) error {
	if manager == "" {
		return usage("import mbox: give --manager LOGIN: whose letters these are")
	}
	if folder != "" && len(files) > 1 {
		return usage("import mbox: --folder is for one file; several files are several folders")
	}
	cfg, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	who, err := managerNamed(ctx, st, manager)
	if err != nil {
		return err
	}
	opt := mailsync.ArchiveOptions{Manager: who.Login, Folder: folder, Rules: captureRules(cfg), Signs: signs(cfg), DryRun: dry, Log: newLog(cfg.Log, p.err)}
	for _, name := range files {
		if err := p.importMboxFile(ctx, st, opt, name); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) importMboxFile(ctx context.Context, st *store.Store, opt mailsync.ArchiveOptions, name string) error {
	var from io.Reader = p.in
	shownName, size := "stdin", int64(0)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size, opt.At = info.Size(), f
		} else if err == nil && info.IsDir() {
			return usage("import mbox: %s is a directory; Apple Mail puts the file \"mbox\" into it", name)
		}
		from, shownName = f, name
	}
	if opt.Folder == "" {
		opt.Folder = filepath.Base(shownName)
	}
	shown := newProgress(p.err, "letters")
	opt.Progress = func(letters int, bytes int64) {
		total := 0 // unknown; else guessed from the letters so far
		if size > 0 && bytes > 0 {
			total = max(letters, int(float64(letters)*float64(size)/float64(bytes)))
		}
		shown.at(name, letters, total)
	}
	sum, err := mailsync.ImportMbox(ctx, st, opt, from)
	shown.end()
	for _, f := range sum.Faults {
		fmt.Fprintf(p.err, "%s: %s\n", shownName, f)
	}
	if sum.MoreFaults > 0 {
		fmt.Fprintf(p.err, "%s: %d more faults\n", shownName, sum.MoreFaults)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", shownName, err)
		if sum.Letters == 0 {
			return err
		}
	}
	return errors.Join(err, p.imported(ctx, st, mboxKind, shownName+": "+mboxSummary(sum, opt.DryRun), opt.DryRun, err != nil))
}

// mboxSummary: "12 letters: 5 captured (4 new contacts), 4 skipped (2
// internal, 2 unknown), 3 known before".
func mboxSummary(sum mailsync.ArchiveSummary, dry bool) string {
	skipped := 0
	var why []string
	for _, r := range skipReasons {
		if n := sum.Skipped[r]; n > 0 {
			skipped += n
			why = append(why, fmt.Sprintf("%d %s", n, r))
		}
	}
	text := fmt.Sprintf("%d letters: %d captured (%d new contacts), %d skipped", sum.Letters, sum.Captured, sum.NewContacts, skipped)
	if len(why) > 0 {
		text += " (" + strings.Join(why, ", ") + ")"
	}
	text += fmt.Sprintf(", %d known before", sum.Known)
	if sum.Deleted > 0 {
		text += fmt.Sprintf(", %d deleted in the mail program and left alone", sum.Deleted)
	}
	if dry {
		text += " (dry run: nothing was written)"
	}
	return text
}
