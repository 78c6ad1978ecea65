package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/template"
)

// ListedTemplate is a template as Meta's list has it.
type ListedTemplate struct {
	TemplateReport
	Category   template.Category
	Components template.Components
}

// listedTemplate is one in Meta's answer. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-account/template-api
type listedTemplate struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Language   string `json:"language"`
	Status     string `json:"status"`
	Category   string `json:"category"`
	Reason     string `json:"rejected_reason"`
	Components []struct {
		Type    string `json:"type"`
		Format  string `json:"format"`
		Text    string `json:"text"`
		Buttons []struct {
			Type  string `json:"type"`
			Text  string `json:"text"`
			URL   string `json:"url"`
			Phone string `json:"phone_number"`
		} `json:"buttons"`
	} `json:"components"`
}

const (
	templatesPage    = 100 // templates that are asked for at once
	maxTemplatePages = 100
	templatesTime    = 30 * time.Second // for a page
	maxTemplates     = 8 << 20          // bytes of a page
)

// Templates calls visit for each template of a business account, page by page, until
// it returns an error.
func (c *Client) Templates(ctx context.Context, a Account, business string, visit func(ListedTemplate) error) error {
	base, err := graph(a)
	if err != nil {
		return err
	}
	after := ""
	for range maxTemplatePages {
		query := url.Values{"fields": {"name,language,status,category,components,rejected_reason"}, "limit": {fmt.Sprint(templatesPage)}}
		if after != "" {
			query.Set("after", after)
		}
		page, next, err := c.templates(ctx, a, base+"/"+url.PathEscape(business)+"/message_templates?"+query.Encode())
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := visit(t.listed()); err != nil {
				return err
			}
		}
		if next == "" || next == after {
			return nil
		}
		after = next
	}
	return fmt.Errorf("the list of templates has more than %d pages", maxTemplatePages)
}

// templates reads a page, and returns where the next one begins.
func (c *Client) templates(ctx context.Context, a Account, address string) ([]listedTemplate, string, error) {
	ctx, cancel := context.WithTimeout(ctx, templatesTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, "", errors.New("the Graph URL of the channel cannot be used")
	}
	req.Header.Set("Authorization", "Bearer "+a.Secrets.AccessToken)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("ask for templates: %w", hideURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTemplates))
	if err != nil {
		return nil, "", fmt.Errorf("read the list of templates: %w", err)
	}
	said := struct {
		answer
		Data   []listedTemplate `json:"data"`
		Paging struct {
			Next    string `json:"next"` // an address; that of the page is made here, since the token goes along
			Cursors struct {
				After string `json:"after"`
			} `json:"cursors"`
		} `json:"paging"`
	}{}
	readable := json.Unmarshal(body, &said) == nil
	switch {
	case readable && said.Error != nil:
		return nil, "", fmt.Errorf("the Graph API refuses with error %d: %s", said.Error.Code, clip(scrub(title(said.Error.UserTitle, said.Error.Message)), maxWord))
	case resp.StatusCode >= 300 || !readable:
		return nil, "", fmt.Errorf("the answer to a question for templates has status %d and is no list", resp.StatusCode)
	case said.Paging.Next == "":
		return said.Data, "", nil
	}
	return said.Data, said.Paging.Cursors.After, nil
}

// listed returns what Meta's list says of a template. Parts that we do not know are named.
func (t listedTemplate) listed() ListedTemplate {
	out := ListedTemplate{
		TemplateReport: TemplateReport{ID: t.ID, Name: t.Name, Language: t.Language, Status: templateStatuses[strings.ToUpper(t.Status)]},
		Category:       template.Category(strings.ToLower(t.Category)),
	}
	if t.Reason != "NONE" {
		out.Reason = clip(scrub(t.Reason), maxWord)
	}
	c := &out.Components
	other := func(parts ...string) {
		c.Other = append(c.Other, clip(scrub(strings.ToLower(strings.Join(parts, " "))), 100))
	}
	for _, part := range t.Components {
		switch strings.ToUpper(part.Type) {
		case "BODY":
			c.Body = part.Text
		case "FOOTER":
			c.Footer = part.Text
		case "HEADER":
			kind := template.HeaderKind(strings.ToLower(part.Format))
			switch kind {
			case template.TextHeader, template.ImageHeader, template.DocumentHeader, template.VideoHeader:
				c.Header = &template.Header{Kind: kind, Text: part.Text}
			default:
				other("header", part.Format)
			}
		case "BUTTONS":
			for _, b := range part.Buttons {
				kind, known := listedButtons[strings.ToUpper(b.Type)]
				if !known {
					other("button", b.Type)
					continue
				}
				c.Buttons = append(c.Buttons, template.Button{Kind: kind, Text: b.Text, URL: b.URL, Phone: b.Phone})
			}
		default:
			other(part.Type)
		}
	}
	return out
}

var listedButtons = map[string]template.ButtonKind{
	"QUICK_REPLY": template.QuickReply, "URL": template.URL, "PHONE_NUMBER": template.Phone, "COPY_CODE": template.CopyCode, "OTP": template.OTP,
}
