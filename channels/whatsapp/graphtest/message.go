package graphtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/chatledger/chatledger/domain/media"
)

// Template is a message template that the server knows.
type Template struct {
	Name     string
	Language string
	Header   string         // what its header takes: text, image, document or video; "": nothing
	Body     int            // how many values its body takes
	Names    []string       // of the body's variables, if they are not numbered
	Buttons  map[int]string // what its buttons take: url or copy_code, by their place
}

// markRead is the Type of what is no message, but says that one was read.
const markRead = "read"

// refusal is an error of the Graph API about a message.
type refusal struct {
	code           int
	title, details string
}

func invalid(details string) *refusal { return &refusal{100, "Invalid parameter", details} }

// request is a message as Meta documents it:
// https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
type request struct {
	Product   string `json:"messaging_product"`
	Recipient string `json:"recipient_type"`
	To        string `json:"to"`
	Type      string `json:"type"`
	Status    string `json:"status"`     // read: it is no message, but says that one was read
	MessageID string `json:"message_id"` // which
	Text      *struct {
		Body string `json:"body"`
	} `json:"text"`
	Template *struct {
		Name     string `json:"name"`
		Language struct {
			Code string `json:"code"`
		} `json:"language"`
		Components []component `json:"components"`
	} `json:"template"`
	Reaction *struct {
		Message string `json:"message_id"`
		Emoji   string `json:"emoji"`
	} `json:"reaction"`
	Image, Audio, Video, Document, Sticker *sentFile
	Callback                               string `json:"biz_opaque_callback_data"`

	Interactive *interactive `json:"interactive"`
	Context     *struct {
		Message string `json:"message_id"`
	} `json:"context"`
	Typing *struct {
		Type string `json:"type"`
	} `json:"typing_indicator"` // with a status
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type"`
	Index      string      `json:"index"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type     string                     `json:"type"`
	Name     string                     `json:"parameter_name"`
	Text     string                     `json:"text"`
	Coupon   string                     `json:"coupon_code"`
	Image    *struct{ Link, ID string } `json:"image"`
	Document *struct{ Link, ID string } `json:"document"`
	Video    *struct{ Link, ID string } `json:"video"`
}

// read returns the message that a request is, and what Meta says of one that is not
// as documented.
func (s *Server) read(body []byte) (Message, *refusal) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return Message{}, invalid("the request is no message")
	}
	if q.Status != "" {
		m := Message{Type: markRead, Payload: string(body)}
		if q.Product != "whatsapp" || q.Status != "read" || q.MessageID == "" || q.Typing != nil && q.Typing.Type != "text" {
			return m, invalid("not a mark as documented")
		}
		return m, nil
	}
	m := Message{To: q.To, Type: q.Type, Callback: q.Callback, Payload: string(body)}
	if q.Text != nil {
		m.Text = q.Text.Body
	}
	if q.Context != nil {
		m.ReplyTo = q.Context.Message
	}
	switch {
	case q.Context != nil && m.ReplyTo == "":
		return m, invalid("the context names no message")
	case q.Product != "whatsapp" || q.To == "" || q.Recipient != "" && q.Recipient != "individual":
		return m, invalid("not addressed as documented")
	case q.Type == "text" && m.Text != "":
		return m, nil
	case q.Type == "reaction" && q.Reaction != nil && q.Reaction.Message != "":
		return m, nil
	case q.file() != nil:
		return m, s.checkFile(q)
	case q.Type == "interactive" && q.Interactive != nil && q.Interactive.Body != nil:
		if q.Interactive.Type == askForCalls {
			m.Text = q.Interactive.Body.Text
		}
		return m, checkInteractive(q.Interactive)
	case q.Type == "template" && q.Template != nil:
		return m, s.checkTemplate(q)
	}
	return m, invalid("not a message as documented")
}

// checkTemplate answers as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
// says: 132001 for a template that there is not, 132000 for another number of values,
// 132012 for one of another sort.
func (s *Server) checkTemplate(q request) *refusal {
	name, language := q.Template.Name, q.Template.Language.Code
	if name == "" || language == "" {
		return invalid("a template has a name and a language")
	}
	known := Template{Name: name, Language: language}
	if s.config.Templates != nil {
		i := slices.IndexFunc(s.config.Templates, func(t Template) bool { return t.Name == name && t.Language == language })
		if i < 0 {
			return &refusal{132001, "Template name does not exist in the translation", fmt.Sprintf("template name (%s) does not exist in %s", name, language)}
		}
		known = s.config.Templates[i]
	}
	got := Template{Name: name, Language: language, Buttons: map[int]string{}}
	for _, c := range q.Template.Components {
		for _, p := range c.Parameters {
			if r := s.checkParameter(p, c); r != nil {
				return r
			}
		}
		switch c.Type {
		case "header":
			if len(c.Parameters) != 1 || got.Header != "" {
				return mismatch("header", len(c.Parameters), 1)
			}
			got.Header = c.Parameters[0].Type
		case "body":
			got.Body += len(c.Parameters)
			for _, p := range c.Parameters {
				if p.Name != "" {
					got.Names = append(got.Names, p.Name)
				}
			}
		case "button":
			place, err := strconv.Atoi(c.Index)
			if err != nil || len(c.Parameters) != 1 {
				return invalid("a button has an index and one parameter")
			}
			got.Buttons[place] = c.SubType
		default:
			return invalid("no such component: " + c.Type)
		}
	}
	if s.config.Templates == nil {
		return nil
	}
	switch {
	case got.Body != known.Body:
		return mismatch("body", got.Body, known.Body)
	case got.Header != known.Header:
		return &refusal{132012, "Parameter format does not match format in the created template", "header: got " + got.Header + ", expected " + known.Header}
	case !slices.Equal(got.Names, known.Names):
		return &refusal{132012, "Parameter format does not match format in the created template", "body: names of parameters"}
	}
	for place, kind := range known.Buttons {
		if got.Buttons[place] != kind {
			return mismatch(fmt.Sprintf("button %d", place), 0, 1)
		}
	}
	if len(got.Buttons) != len(known.Buttons) {
		return mismatch("buttons", len(got.Buttons), len(known.Buttons))
	}
	return nil
}

func mismatch(where string, got, want int) *refusal {
	return &refusal{132000, "Number of parameters does not match the expected number of params", fmt.Sprintf("%s: number of localizable_params (%d) does not match the expected number of params (%d)", where, got, want)}
}

func (s *Server) checkParameter(p parameter, c component) *refusal {
	var link, id string
	switch {
	case p.Type == "text" && p.Text != "", p.Type == "coupon_code" && p.Coupon != "" && c.SubType == "copy_code":
		return nil
	case p.Type == "image" && p.Image != nil && c.Type == "header":
		link, id = p.Image.Link, p.Image.ID
	case p.Type == "document" && p.Document != nil && c.Type == "header":
		link, id = p.Document.Link, p.Document.ID
	case p.Type == "video" && p.Video != nil && c.Type == "header":
		link, id = p.Video.Link, p.Video.ID
	default:
		return invalid("a parameter of the " + c.Type + " is not as documented")
	}
	if id != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if m, known := s.media[id]; !known || media.KindOf(m.MIMEType) != media.Kind(p.Type) || link != "" {
			return invalid("no such " + p.Type)
		}
		return nil
	}
	if u, err := url.Parse(link); err != nil || u.Host == "" {
		return invalid("a file has a link")
	}
	return nil
}
