package store

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SavedReport is a report that a manager keeps under a name. It is computed,
// whoever asks for it, with the rights and in the zone of its owner.
type SavedReport struct {
	ID     int64
	Owner  Manager
	Name   string
	Report string     // its name: "open-deals"
	Params url.Values // as the page of the report and report.Request take them
	// Schedule says when it is mailed: cron, in the owner's zone; "" for never.
	Schedule   string
	Since      time.Time // when the schedule was set
	Recipients []Recipient
	Attach     ReportFile
	SendEmpty  bool // it is mailed also when it has no rows
	Nightly    bool // it is a part of its owner's nightly digest, which heads get
	Version    int64
	Last       Run // the newest one since then, where SavedReports lists it; zero for none
}

// Path is the page of the report with its parameters.
func (r *SavedReport) Path() string {
	path := "/reports/" + url.PathEscape(r.Report)
	if q := r.Params.Encode(); q != "" {
		path += "?" + q
	}
	return path
}

// SavedReportsJob is the ledger's name of the job that mails saved reports.
const SavedReportsJob = "reports"

// SavedReportSlot is the ledger's slot of one report: each is mailed once for
// a time that its schedule names.
func SavedReportSlot(report int64, slot string) string { return fmt.Sprintf("#%d %s", report, slot) }

// Recipient of a saved report: a manager, or an address of somebody else.
type Recipient struct {
	Manager Manager // ID 0: nobody of ours
	Address string
}

// String is what names the recipient: the login or the address.
func (r Recipient) String() string {
	if r.Manager.ID != 0 {
		return r.Manager.Login
	}
	return r.Address
}

// ReportFile is the format of the file that comes with a mailed report; "" for none.
type ReportFile string

const (
	AttachXLSX ReportFile = "xlsx"
	AttachCSV  ReportFile = "csv"
)

// SavedReportEdit is a saved report as people give it. Recipients are logins
// of managers and addresses.
type SavedReportEdit struct {
	Name       string
	Report     string
	Params     url.Values
	Schedule   string
	Recipients []string
	Attach     ReportFile
	SendEmpty  bool
	Nightly    bool
}

// Bounds of saved reports.
const (
	maxSavedReports    = 100 // of one manager
	maxSavedReportName = 200 // bytes
	maxSavedParams     = 4000
	maxRecipients      = 20
	maxSchedule        = 200
)

// check tidies the edit; *Invalid with the field that is at fault.
func (e SavedReportEdit) check(owner Manager) (SavedReportEdit, error) {
	e.Name = strings.Join(strings.Fields(clean(e.Name)), " ")
	if err := required("name", e.Name, maxSavedReportName); err != nil {
		return e, err
	}
	if err := required("report", e.Report, 100); err != nil {
		return e, err
	}
	if len(e.Params.Encode()) > maxSavedParams {
		return e, invalid("params", "are longer than %d bytes", maxSavedParams)
	}
	e.Schedule = strings.Join(strings.Fields(e.Schedule), " ")
	if len(e.Schedule) > maxSchedule {
		return e, invalid("schedule", "is longer than %d bytes", maxSchedule)
	}
	if e.Attach != "" && e.Attach != AttachXLSX && e.Attach != AttachCSV {
		return e, invalid("attach", "%q is neither xlsx nor csv", clip(string(e.Attach), 40))
	}
	if e.Nightly && owner.Role != RoleHead {
		return e, invalid("nightly", "only heads get the nightly digest, and %s is none", owner.Login)
	}
	var all []string
	for _, r := range e.Recipients {
		if r = strings.ToLower(strings.TrimSpace(r)); r != "" && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	e.Recipients = all
	switch {
	case len(all) > maxRecipients:
		return e, invalid("recipients", "are more than %d", maxRecipients)
	case len(all) == 0 && e.Schedule != "":
		return e, invalid("recipients", "are missing: a report with a schedule is mailed to somebody")
	}
	return e, nil
}
