package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// object is a JSON object as Meta's documentation shows them.
type object map[string]any

// message returns a message of p, of kind, that holds body under its kind.
func (g *Generator) message(p *person, at time.Time, kind string, body any) object {
	g.sequence++
	id := fmt.Sprintf("wamid.DEMO%s%06d", g.config.Run, g.sequence)
	m := object{"from": p.phone, "id": id, "timestamp": strconv.FormatInt(at.Unix(), 10), "type": kind}
	if body != nil {
		m[kind] = body
	}
	if kind != "reaction" {
		p.lastMessage = id
	}
	p.conversation++
	return m
}

func text(s string) object { return object{"body": s} }

// anyMessage is a message of any of the kinds there are, texts most of all.
func (g *Generator) anyMessage(p *person, at time.Time) object {
	r := g.random
	media := func(kind string, more object) object {
		id := fmt.Sprintf("%s-%d", kind, r.IntN(1_000_000))
		content, mime, _ := File(id)
		sum := sha256.Sum256(content)
		o := object{"id": id, "mime_type": mime, "sha256": base64.StdEncoding.EncodeToString(sum[:])}
		maps.Copy(o, more)
		return o
	}
	switch n := r.IntN(100); {
	case n < 60:
		m := g.message(p, at, "text", text(pick(r, followUps)))
		if r.IntN(4) == 0 {
			m["context"] = object{"from": g.config.Phone, "id": "wamid.DEMOEARLIER"}
		}
		return m
	case n < 66:
		return g.message(p, at, "image", media("image", object{"caption": "This is how it looks"}))
	case n < 69:
		return g.message(p, at, "audio", media("audio", object{"voice": true}))
	case n < 72:
		return g.message(p, at, "document", media("document", object{"filename": "invoice.pdf"}))
	case n < 74:
		return g.message(p, at, "video", media("video", nil))
	case n < 76:
		return g.message(p, at, "sticker", media("sticker", object{"animated": false}))
	case n < 79:
		return g.message(p, at, "location", object{"latitude": 38.7223 + r.Float64(), "longitude": -9.1393 + r.Float64(), "name": "Pick-up point", "address": "1 Harbour Street, " + p.city})
	case n < 84:
		p.shared = true
		return g.message(p, at, "contacts", []object{card(p.name, p.phone, p.email, p.company)})
	case n < 85:
		return g.message(p, at, "contacts", []object{card("Front Desk", "15559990000", "desk@example.com", "Corner Bikes")})
	case n < 88:
		return g.message(p, at, "interactive", object{"type": "button_reply", "button_reply": object{"id": "yes", "title": "Yes, please"}})
	case n < 90:
		return g.message(p, at, "interactive", object{"type": "list_reply", "list_reply": object{"id": "express", "title": "Express", "description": "Next working day"}})
	case n < 91:
		return g.message(p, at, "interactive", object{"type": "nfm_reply", "nfm_reply": object{"name": "flow", "body": "Sent", "response_json": `{"size":"M","gift":true}`}})
	case n < 92:
		return g.message(p, at, "button", object{"payload": "track", "text": "Track my order"})
	case n < 93:
		return g.message(p, at, "unsupported", nil).with("errors", []object{{"code": 131051, "title": "Message type unknown"}})
	case n < 95:
		return g.message(p, at, "text", text("I saw your advertisement 🙂")).with("referral", object{
			"source_url": "https://example.com/spring", "source_type": "ad", "source_id": "1203", "headline": "Spring hats", "body": "Light as air",
		})
	default:
		if p.lastMessage == "" {
			return g.message(p, at, "text", text(pick(r, followUps)))
		}
		return g.message(p, at, "reaction", object{"message_id": p.lastMessage, "emoji": pick(r, []string{"👍", "❤️", "😂", "🙏"})})
	}
}

func (o object) with(key string, value any) object { o[key] = value; return o }

func card(name, phone, email, company string) object {
	return object{
		"name":   object{"formatted_name": name},
		"phones": []object{{"phone": "+" + phone, "type": "CELL", "wa_id": phone}},
		"emails": []object{{"email": email, "type": "WORK"}},
		"org":    object{"company": company},
	}
}

// order is a basket from the catalogue. Prices come as numbers or as strings,
// as they do from Meta.
func (g *Generator) order(p *person, at time.Time) object {
	r := g.random
	var items []object
	for range 1 + r.IntN(3) {
		product := pick(r, products)
		price := fmt.Sprintf("%d.%02d", product.price/100, product.price%100)
		item := object{"product_retailer_id": product.sku, "quantity": 1 + r.IntN(4), "currency": "EUR"}
		if r.IntN(2) == 0 {
			item["item_price"] = json.Number(price)
		} else {
			item["item_price"] = price
		}
		items = append(items, item)
	}
	return g.message(p, at, "order", object{"catalog_id": "194836987003835", "text": pick(r, []string{"", "gift wrap, please", "no hurry"}), "product_items": items})
}

// messages is the value of a change that brings messages of one customer.
func (g *Generator) messages(p *person, list ...object) object {
	return g.value().with("contacts", []object{{"profile": object{"name": p.name}, "wa_id": p.phone}}).with("messages", list)
}

// status is the value of a change that reports on a message of ours.
func (g *Generator) status(to, providerID, state string, at time.Time) object {
	s := object{"id": providerID, "status": state, "timestamp": strconv.FormatInt(at.Unix(), 10), "recipient_id": to}
	if state == "failed" {
		s["errors"] = []object{{
			"code": 131047, "title": "Re-engagement message",
			"error_data": object{"details": "Message failed to send because more than 24 hours have passed since the customer last replied to this number."},
		}}
	}
	return g.value().with("statuses", []object{s})
}

func (g *Generator) value() object {
	return object{
		"messaging_product": "whatsapp",
		"metadata":          object{"display_phone_number": g.config.Phone, "phone_number_id": g.config.PhoneNumberID},
	}
}

// deliver posts values as one webhook, signed as Meta signs it.
func (g *Generator) deliver(ctx context.Context, values ...object) error {
	return g.report(ctx, "messages", values...)
}

// report posts a signed webhook with changes of a field.
func (g *Generator) report(ctx context.Context, field string, values ...object) error {
	var changes []object
	for _, v := range values {
		changes = append(changes, object{"field": field, "value": v})
	}
	body, err := json.Marshal(object{
		"object": "whatsapp_business_account",
		"entry":  []object{{"id": "102290129340398", "changes": changes}},
	})
	if err != nil {
		return fmt.Errorf("encode webhook: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(g.config.AppSecret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.config.URL+"/webhooks/whatsapp/"+g.config.Channel, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := g.client.Do(req)
	if err != nil {
		return fmt.Errorf("post webhook: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("post webhook: %s: %s", resp.Status, answer)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
