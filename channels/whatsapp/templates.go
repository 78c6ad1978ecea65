package whatsapp

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/template"
)

// TemplateReport is what Meta says about a template, by a webhook of the field
// message_template_status_update. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/message_template_status_update
type TemplateReport struct {
	ID       string // Meta's
	Name     string
	Language string
	Status   template.Status
	Reason   string
}

const templateStatusField = "message_template_status_update"

// templateStatuses are Meta's words for what may be done with a template. One that
// is flagged is at risk, and can be sent until Meta says more.
var templateStatuses = map[string]template.Status{
	"APPROVED": template.Approved, "REINSTATED": template.Approved, "FLAGGED": template.Approved,
	"PENDING": template.Pending, "IN_APPEAL": template.Pending, "PENDING_REVIEW": template.Pending,
	"REJECTED": template.Rejected, "PAUSED": template.Paused,
	"DISABLED": template.Disabled, "DELETED": template.Disabled, "PENDING_DELETION": template.Disabled,
	"ARCHIVED": template.Disabled, "LIMIT_EXCEEDED": template.Disabled,
}

func (c *Change) parseTemplateStatus(value node) {
	word := strings.ToUpper(value.get("event").id())
	r := TemplateReport{
		ID: value.get("message_template_id").id(), Name: value.get("message_template_name").id(),
		Language: strings.ReplaceAll(value.get("message_template_language").id(), "-", "_"), Status: templateStatuses[word],
	}
	if reason := value.get("reason").text(maxWord); reason != "NONE" {
		r.Reason = reason
	}
	if title := value.get("other_info", "title").text(maxWord); title != "" && r.Reason == "" {
		r.Reason = title
	}
	if r.Name == "" || r.Language == "" || r.Status == "" {
		c.ignore(templateStatusField + ": " + clip(scrub(word), 100))
		return
	}
	c.Templates = append(c.Templates, r)
}

// templateStatus records Meta's word. It has no time of its own.
func (r *translation) templateStatus(ctx context.Context, s TemplateReport, at time.Time) error {
	r.templates++ // several words about one template are several commands
	o := r.t.origin(r.d, "template status", string(r.d.ID), s.Name, s.Language, strconv.Itoa(r.templates))
	_, err := r.t.Commands.Templates.Report(ctx, o, template.Report{
		Channel: r.d.Channel, Name: s.Name, Language: s.Language, Status: s.Status, Reason: s.Reason, ProviderID: s.ID, At: at.UTC(),
	})
	return err
}
