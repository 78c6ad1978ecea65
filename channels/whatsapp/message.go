package whatsapp

import (
	"context"
	"strconv"

	"github.com/chatledger/chatledger/domain/chat"
)

// message is the body of POST /{phone-number-id}/messages. Type says which of the
// others is set.
type message struct {
	Product   string        `json:"messaging_product"`
	Recipient string        `json:"recipient_type"`
	To        string        `json:"to"`
	Type      string        `json:"type"`
	Text      *textBody     `json:"text,omitempty"`
	Template  *templateBody `json:"template,omitempty"`
	Image     *sentFile     `json:"image,omitempty"`
	Audio     *sentFile     `json:"audio,omitempty"`
	Video     *sentFile     `json:"video,omitempty"`
	Document  *sentFile     `json:"document,omitempty"`
	Sticker   *sentFile     `json:"sticker,omitempty"`
	Reaction  *reactionBody `json:"reaction,omitempty"`
	Callback  string        `json:"biz_opaque_callback_data,omitempty"`

	Interactive *interactiveBody `json:"interactive,omitempty"`
	Context     *contextBody     `json:"context,omitempty"`
}

// contextBody names the message that one answers.
type contextBody struct {
	Message string `json:"message_id"`
}

// interactiveBody is a message to be answered with a tap. Type says what the action is
// made of: button, list or cta_url; or call_permission_request, to which the customer
// allows calls or does not. Of that one tells
// https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-call-permissions
type interactiveBody struct {
	Type   string          `json:"type"`
	Header *headerBody     `json:"header,omitempty"`
	Body   partBody        `json:"body"`
	Footer *partBody       `json:"footer,omitempty"`
	Action interactiveDeed `json:"action"`
}

type headerBody struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type partBody struct {
	Text string `json:"text"`
}

type interactiveDeed struct {
	Buttons    []replyButton `json:"buttons,omitempty"`
	Button     string        `json:"button,omitempty"` // that opens the list
	Sections   []listSection `json:"sections,omitempty"`
	Name       string        `json:"name,omitempty"`
	Parameters *linkBody     `json:"parameters,omitempty"`
}

type replyButton struct {
	Type  string `json:"type"`
	Reply struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	} `json:"reply"`
}

type listSection struct {
	Title string         `json:"title,omitempty"`
	Rows  []chat.ListRow `json:"rows"`
}

type linkBody struct {
	Text string `json:"display_text"`
	URL  string `json:"url"`
}

type textBody struct {
	Body       string `json:"body"`
	PreviewURL bool   `json:"preview_url"`
}

type templateBody struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []component `json:"components,omitempty"`
}

// component is a part of a template that takes values.
type component struct {
	Type       string      `json:"type"`               // header, body or button
	SubType    string      `json:"sub_type,omitempty"` // of a button: url or copy_code
	Index      string      `json:"index,omitempty"`    // of a button, counted from 0
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type     string    `json:"type"` // text, image, document, video or coupon_code
	Name     string    `json:"parameter_name,omitempty"`
	Text     string    `json:"text,omitempty"`
	Coupon   string    `json:"coupon_code,omitempty"`
	Image    *fileBody `json:"image,omitempty"`
	Document *fileBody `json:"document,omitempty"`
	Video    *fileBody `json:"video,omitempty"`
}

type fileBody struct {
	ID       string `json:"id,omitempty"` // of an upload
	Link     string `json:"link,omitempty"`
	Filename string `json:"filename,omitempty"`
}

// Send posts a message to a customer, once. It never panics and it returns within
// 30 seconds.
//
// WhatsApp has no idempotency key for messages. So when the answer is missing
// after a connection was made, the outcome is Unknown and the caller must not
// send again: a customer who gets a message twice is worse off than an agent who
// is told to look. Only where no connection came about is it certain that Meta
// knows nothing.
//
// The message's own id goes along as biz_opaque_callback_data, which Meta repeats
// in its reports: so a report finds the message even if the answer was lost, and
// says that it arrived after all.
//
// The requests are those of
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages,
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/template-messages
// and, for files,
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/image-messages
// and its siblings, among them interactive-reply-buttons-messages, interactive-list-messages,
// interactive-cta-url-messages and contextual-replies. uploaded is the id that Upload had
// for the file of the message, if it has one.
func (c *Client) Send(ctx context.Context, a Account, to string, id chat.MessageID, out chat.Outgoing, uploaded string) Sent {
	return c.postMessage(ctx, a, newMessage(to, id, out, uploaded))
}

const askForCalls = "call_permission_request"

func newMessage(to string, id chat.MessageID, out chat.Outgoing, uploaded string) message {
	m := message{Product: "whatsapp", Recipient: "individual", To: to, Callback: string(id)}
	if out.ReplyTo != nil {
		m.Context = &contextBody{out.ReplyTo.ProviderID}
	}
	switch {
	case out.Interactive != nil:
		m.Type, m.Interactive = "interactive", newInteractive(out.Interactive)
	case out.Template != nil:
		m.Type, m.Template = "template", newTemplate(out.Template, uploaded)
	case out.Media != nil:
		m.attach(out.Media.Kind, &sentFile{ID: uploaded, Caption: out.Text, Filename: out.Media.Filename})
	case out.CallPermission:
		m.Type, m.Interactive = "interactive", &interactiveBody{Type: askForCalls, Body: partBody{out.Text}, Action: interactiveDeed{Name: askForCalls}}
	default:
		m.Type, m.Text = "text", &textBody{Body: out.Text}
	}
	return m
}

func newInteractive(m *chat.Interactive) *interactiveBody {
	out := &interactiveBody{Body: partBody{m.Body}}
	if m.Header != "" {
		out.Header = &headerBody{"text", m.Header}
	}
	if m.Footer != "" {
		out.Footer = &partBody{m.Footer}
	}
	switch {
	case m.List != nil:
		out.Type, out.Action.Button = "list", m.List.Button
		for _, s := range m.List.Sections {
			out.Action.Sections = append(out.Action.Sections, listSection(s))
		}
	case m.Link != nil:
		out.Type, out.Action.Name, out.Action.Parameters = "cta_url", "cta_url", &linkBody{m.Link.Title, m.Link.URL}
	default:
		out.Type = "button"
		for _, b := range m.Buttons {
			k := replyButton{Type: "reply"}
			k.Reply.ID, k.Reply.Title = b.ID, b.Title
			out.Action.Buttons = append(out.Action.Buttons, k)
		}
	}
	return out
}

func newTemplate(t *chat.TemplateUse, uploaded string) *templateBody {
	out := &templateBody{Name: t.Name}
	out.Language.Code = t.Language
	if h := t.Header; h != nil {
		p := parameter{Type: h.Kind}
		file := &fileBody{Link: h.Link, Filename: h.Filename}
		if h.File != nil {
			file = &fileBody{ID: uploaded, Filename: h.File.Filename}
		}
		switch {
		case h.Value != nil:
			p.Name, p.Text = h.Value.Name, h.Value.Text
		case h.Kind == "image":
			p.Image = file
		case h.Kind == "document":
			p.Document = file
		case h.Kind == "video":
			p.Video = file
		}
		out.Components = append(out.Components, component{Type: "header", Parameters: []parameter{p}})
	}
	if len(t.Body) > 0 {
		body := component{Type: "body"}
		for _, v := range t.Body {
			body.Parameters = append(body.Parameters, parameter{Type: "text", Name: v.Name, Text: v.Text})
		}
		out.Components = append(out.Components, body)
	}
	for _, b := range t.Buttons {
		k := component{Type: "button", SubType: "url", Index: strconv.Itoa(b.Place)}
		p := parameter{Type: "text", Text: b.Text} // also of a one-time password, whose button is an address to Meta
		if b.Kind == "copy_code" {
			k.SubType, p = "copy_code", parameter{Type: "coupon_code", Coupon: b.Text}
		}
		k.Parameters = []parameter{p}
		out.Components = append(out.Components, k)
	}
	return out
}
