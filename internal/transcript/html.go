package transcript

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"time"
)

// asHTML writes a page that needs nothing from elsewhere and may run nothing: it
// says so in a policy of its own, for when it is opened from a disk.
type asHTML struct {
	w   io.Writer
	day string
}

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

var page = template.Must(template.New("transcript").Parse(pageTemplate))

// Policy is the Content-Security-Policy of the page.
func Policy() string {
	hash := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
}

func (f *asHTML) begin(a About) error {
	return page.ExecuteTemplate(f.w, "begin", struct {
		Policy, Title string
		AsOf          int64
		Style         template.CSS
		Facts         [][2]string
	}{Policy(), a.Customer.label(), a.AsOf, template.CSS(pageStyle), a.facts()}) //nolint:gosec // our own file, compiled in
}

func (f *asHTML) entry(e *Entry) error {
	v := struct {
		Day, Class, DateTime, Clock, Prefix, Author, Text string
		Position                                          int64
		Remarks                                           []string
	}{
		Class: e.Kind, DateTime: e.At.Format(time.RFC3339Nano), Clock: e.At.Format(clock), Author: author(e.By), Text: e.text(),
		Position: e.Position, Remarks: e.remarks(),
	}
	switch {
	case e.Message != nil:
		v.Class = e.Message.Direction
	case e.Note != nil:
		v.Prefix = "Note by"
	case e.By.ID == "":
		v.Author = ""
	}
	if d := e.At.Format(day); d != f.day {
		f.day, v.Day = d, d
	}
	return page.ExecuteTemplate(f.w, "entry", v)
}

func (f *asHTML) end(entries int) error { return page.ExecuteTemplate(f.w, "end", entries) }
