package whatsapp

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
)

// Limits of what is taken over from a payload. The payload itself is kept
// whole; these bound what becomes of it.
const (
	maxID     = 512       // bytes of an id; WhatsApp's have about 60
	maxText   = 64 << 10  // bytes of a text; WhatsApp's have 4,096 characters at most
	maxWord   = 1 << 10   // bytes of a name, a title, an address
	maxRaw    = 256 << 10 // bytes of JSON kept with a message
	maxCards  = 100
	maxFields = 50 // phone numbers and e-mail addresses of a card
)

// Times outside of these are not believed: the beginning of WhatsApp, and the
// end of the century.
var (
	earliest = time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Payload is a webhook of the WhatsApp Business Platform, as far as we
// understand it.
//
// Its form is that of
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
type Payload struct {
	Object  string // "whatsapp_business_account" for WhatsApp
	Entries int    // how many there were
	Changes []Change
}

// Change is one change of an entry.
type Change struct {
	Field         string // "messages", or the name of something that is kept for later
	PhoneNumberID string // the account it is for; only in some fields
	Messages      []Message
	Statuses      []Status
	Calls         []CallReport
	Templates     []TemplateReport
	Ignored       []string // what is kept for later, such as "calls"
}

// Message is what a customer sent, or did. Exactly one of Content, Reaction and
// System says what; Content may have an Order or Calls beside it.
type Message struct {
	ID          string // such as "wamid.…"
	From        string // the customer's id: digits of the number
	ProfileName string
	At          time.Time
	Content     *chat.Content
	Reaction    *Reaction
	System      *System
	Order       *Order
	OwnCard     *Details // of a contact card that is the sender's own
	Form        *Details // of what a flow asked
	Context     *chat.Context
	Referral    *chat.Referral

	Calls *chat.CallPermission // what it says about calls; nil: nothing
	Auto  bool                 // not of the customer's making: there is nothing in it but Calls
}

// Reaction is an emoji on a message. "" takes it away.
type Reaction struct {
	Target string
	Emoji  string
}

// System is something WhatsApp tells about the customer.
type System struct {
	Kind      string
	Text      string
	NewNumber string
}

// Details are what a contact card says about its owner, or a form about who filled it in.
type Details struct {
	Name, Company, City, Country string
	Phones, Emails               []string
}

// Order is what a customer put together from a catalogue. Numbers are text, as
// they came.
type Order struct {
	Catalog string
	Comment string
	Lines   []order.RefusedLine
	More    bool // there were more lines than an order can have
}

// Status is a report about a message to the customer.
type Status struct {
	ID       string         // of the message
	Message  chat.MessageID // our id of it, if we sent it along
	State    chat.Delivery
	Customer string
	At       time.Time
	Error    *chat.DeliveryError
}

// Parse reads a payload. It reports false for what is not a JSON object. It
// takes everything else: unknown fields and types, numbers as strings, missing
// parts. received stands in for times that cannot be believed.
//
// Parse is pure: the same bytes give the same Payload.
func Parse(body []byte, received time.Time) (Payload, bool) {
	root, ok := parseJSON(body)
	if !ok || !root.isObject() {
		return Payload{}, false
	}
	p := Payload{Object: root.get("object").text(maxWord)}
	for _, entry := range root.get("entry").list(math.MaxInt) {
		p.Entries++
		for _, c := range entry.get("changes").list(math.MaxInt) {
			p.Changes = append(p.Changes, parseChange(c, received))
		}
	}
	return p, true
}

// Customers returns whom a payload is about, each once.
func (p Payload) Customers() []string {
	seen := map[string]bool{}
	var list []string
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	for _, c := range p.Changes {
		for _, m := range c.Messages {
			add(m.From)
		}
		for _, s := range c.Statuses {
			add(s.Customer)
		}
		for _, k := range c.Calls {
			add(k.Customer)
		}
	}
	return list
}

func parseChange(n node, received time.Time) Change {
	value := n.get("value")
	c := Change{Field: clip(n.get("field").id(), 100), PhoneNumberID: value.get("metadata", "phone_number_id").id()}
	if c.Field == "calls" {
		c.parseCalls(value, received)
		return c
	}
	if c.Field == templateStatusField {
		c.parseTemplateStatus(value)
		return c
	}
	if c.Field != "messages" {
		c.ignore(c.Field)
		return c
	}
	names := map[string]string{}
	for _, contact := range value.get("contacts").list(math.MaxInt) {
		names[customer(contact.get("wa_id"))] = contact.get("profile", "name").text(maxWord)
	}
	for _, m := range value.get("messages").list(math.MaxInt) {
		if msg, ok := parseMessage(m, received); ok {
			msg.ProfileName = names[msg.From]
			c.Messages = append(c.Messages, msg)
		} else {
			c.ignore("messages: one without sender or id")
		}
	}
	for _, s := range value.get("statuses").list(math.MaxInt) {
		status, word := parseStatus(s, received)
		if word != "" {
			c.ignore("statuses: " + word)
			continue
		}
		c.Statuses = append(c.Statuses, status)
	}
	fields, _ := value.v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch name {
		case "messaging_product", "metadata", "contacts", "messages", "statuses":
		default:
			c.ignore("messages." + clip(scrub(name), 100))
		}
	}
	return c
}

func (c *Change) ignore(what string) {
	if what == "" {
		what = "a change without a field"
	}
	if !slices.Contains(c.Ignored, what) && len(c.Ignored) < maxFields {
		c.Ignored = append(c.Ignored, what)
	}
}

// customer returns the id of a customer: the digits of the number, or whatever
// else stands there, for ids that are no numbers.
func customer(n node) string {
	id := n.id()
	if d := digits(id); d != "" && strings.Trim(id, "+0123456789 -") == "" {
		return d
	}
	return id
}

func parseMessage(n node, received time.Time) (Message, bool) {
	m := Message{ID: n.get("id").id(), From: customer(n.get("from")), At: at(n.get("timestamp"), received)}
	if m.From == "" { // a customer who hides the number has only an id of the business's scope
		m.From = n.get("from_user_id").id()
	}
	if m.ID == "" || m.From == "" {
		return m, false
	}
	if c := n.get("context"); c.isObject() {
		ctx := chat.Context{
			ProviderID: c.get("id").id(), From: customer(c.get("from")),
			Forwarded: c.get("forwarded").bool() || c.get("frequently_forwarded").bool(),
		}
		if ctx != (chat.Context{}) {
			m.Context = &ctx
		}
	}
	if r := n.get("referral"); r.isObject() {
		ref := chat.Referral{
			SourceURL: r.get("source_url").text(maxText), SourceType: r.get("source_type").text(maxWord), SourceID: r.get("source_id").id(),
			Headline: r.get("headline").text(maxText), Body: r.get("body").text(maxText),
			MediaType: r.get("media_type").text(maxWord), MediaURL: first(r, "image_url", "video_url", "thumbnail_url"),
			ClickID: r.get("ctwa_clid").text(maxWord),
		}
		if ref != (chat.Referral{}) {
			m.Referral = &ref
		}
	}
	m.parseKind(n)
	return m, true
}

func first(n node, names ...string) string {
	for _, name := range names {
		if s := n.get(name).text(maxText); s != "" {
			return s
		}
	}
	return ""
}

// parseKind fills in what the message holds. What it does not understand is a
// message of kind "unknown" with the whole of it.
func (m *Message) parseKind(n node) {
	kind := n.get("type").text(maxWord)
	if kind == "" && n.get("interactive").isObject() {
		kind = "interactive" // as in Meta's sample of an answer about calls
	}
	body := n.get(kind)
	switch kind {
	case "reaction":
		if target := body.get("message_id").id(); target != "" {
			m.Reaction = &Reaction{Target: target, Emoji: body.get("emoji").text(100)}
			return
		}
	case "system":
		m.System = parseSystem(body, m.From)
		return
	case "order":
		if body.isObject() {
			m.Order = parseOrder(body)
			m.Content = &chat.Content{Kind: "order", Text: m.Order.Comment}
			return
		}
	case "interactive":
		m.Content, m.Form = parseInteractive(body, m.From)
		m.Calls, m.Auto = parsePermission(body, m.At)
	case "contacts":
		m.Content, m.OwnCard = parseCards(body, m.From)
	default:
		m.Content = parseContent(kind, body)
	}
	if m.Content != nil {
		return
	}
	if e := n.get("errors"); e.isList() || kind == "unsupported" {
		m.Content = &chat.Content{Kind: "unsupported", Error: parseError(e)}
		return
	}
	m.Content = &chat.Content{Kind: "unknown", Raw: n.raw(maxRaw)}
}

// parseContent returns nil for what is not as documented.
func parseContent(kind string, n node) *chat.Content {
	c := chat.Content{Kind: kind}
	switch kind {
	case "text":
		if c.Text = n.get("body").text(maxText); c.Text == "" {
			return nil
		}
	case "image", "video", "audio", "document", "sticker":
		c.Text = n.get("caption").text(maxText)
		c.Media = &chat.Media{
			ID: n.get("id").id(), MIMEType: n.get("mime_type").text(maxWord), SHA256: n.get("sha256").text(maxWord),
			Filename: n.get("filename").text(maxWord), Animated: n.get("animated").bool(),
		}
		if c.Media.ID == "" {
			return nil
		}
		if kind == "audio" && n.get("voice").bool() {
			c.Kind = "voice"
		}
	case "location":
		lat, ok1 := n.get("latitude").float()
		long, ok2 := n.get("longitude").float()
		if !ok1 || !ok2 || !(math.Abs(lat) <= 90) || !(math.Abs(long) <= 180) {
			return nil
		}
		c.Location = &chat.Location{Latitude: lat, Longitude: long, Name: n.get("name").text(maxWord), Address: n.get("address").text(maxWord)}
	case "button": // of a template
		c.Text = n.get("text").text(maxText)
		c.Reply = &chat.Reply{ID: n.get("payload").text(maxWord), Title: clip(c.Text, maxWord)}
		if c.Text == "" && c.Reply.ID == "" {
			return nil
		}
	default:
		return nil
	}
	return &c
}

// permissionReply names what a customer says to being called. Its webhook is among
// https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-call-permissions
const permissionReply = "call_permission_reply"

// permissionTime is how long calls are allowed that are not allowed for good.
const permissionTime = 7 * 24 * time.Hour

// parsePermission reads whether the customer allows calls. It may say so on its own, as
// after calls that the customer did not take.
func parsePermission(n node, received time.Time) (p *chat.CallPermission, auto bool) {
	answer := n.get(permissionReply)
	response := answer.get("response").id()
	if response != "accept" && response != "reject" {
		return nil, false
	}
	p = &chat.CallPermission{Allowed: response == "accept", At: received}
	if p.Allowed && !answer.get("is_permanent").bool() {
		p.Until = at(answer.get("expiration_timestamp"), received.Add(permissionTime))
	}
	return p, answer.get("response_source").id() == "automatic"
}

// parseInteractive returns nil for what is not as documented, and what the answers of
// a flow say about the customer.
func parseInteractive(n node, from string) (*chat.Content, *Details) {
	kind := n.get("type").text(maxWord)
	answer := n.get(kind)
	if !answer.isObject() {
		return nil, nil
	}
	switch kind {
	case "button_reply", "list_reply":
		r := &chat.Reply{ID: answer.get("id").text(maxWord), Title: answer.get("title").text(maxWord), Description: answer.get("description").text(maxWord)}
		return &chat.Content{Kind: strings.TrimSuffix(kind, "_reply"), Text: r.Title, Reply: r}, nil
	case permissionReply:
		if response := answer.get("response").text(maxWord); response != "" {
			return &chat.Content{Kind: "call_permission", Reply: &chat.Reply{ID: response, Title: response}}, nil
		}
	case "nfm_reply":
		f := &chat.Flow{Name: answer.get("name").text(maxWord), Body: answer.get("body").text(maxText)}
		answers, ok := parseJSON([]byte(answer.get("response_json").text(maxRaw)))
		if ok {
			f.Answers = answers.raw(maxRaw)
		}
		return &chat.Content{Kind: "flow", Text: f.Body, Flow: f}, parseForm(answers, from)
	}
	return nil, nil
}

func parseSystem(n node, from string) *System {
	s := &System{Kind: n.get("type").text(maxWord), Text: n.get("body").text(maxText)}
	for _, name := range []string{"new_wa_id", "wa_id"} {
		if id := customer(n.get(name)); id != "" && id != from && s.NewNumber == "" {
			s.NewNumber = id
		}
	}
	return s
}

func parseError(list node) *chat.DeliveryError {
	errs := list.list(1)
	if len(errs) == 0 {
		return nil
	}
	e := errs[0]
	title := e.get("title").text(maxWord)
	if title == "" {
		title = e.get("message").text(maxWord)
	}
	return &chat.DeliveryError{Code: int(e.get("code").int()), Title: title, Details: e.get("error_data", "details").text(maxText)}
}

func parseOrder(n node) *Order {
	o := &Order{Catalog: n.get("catalog_id").id(), Comment: n.get("text").text(maxText), Lines: []order.RefusedLine{}}
	items := n.get("product_items").list(order.MaxLines + 1)
	if o.More = len(items) > order.MaxLines; o.More {
		items = items[:order.MaxLines]
	}
	for _, item := range items {
		o.Lines = append(o.Lines, order.RefusedLine{
			Product:  item.get("product_retailer_id").text(maxWord),
			Quantity: strings.TrimSpace(item.get("quantity").text(100)),
			Price:    strings.TrimSpace(item.get("item_price").text(100)),
			Currency: strings.ToUpper(strings.TrimSpace(item.get("currency").text(100))),
		})
	}
	return o
}

// parseCards returns nil if there is no card, and the details of the first card
// that has the sender's own number.
func parseCards(n node, from string) (*chat.Content, *Details) {
	c := &chat.Content{Kind: "contacts"}
	var own *Details
	for _, card := range n.list(maxCards) {
		d := Details{
			Name:    card.get("name", "formatted_name").text(maxWord),
			Company: card.get("org", "company").text(maxWord),
		}
		if d.Name == "" {
			d.Name = strings.TrimSpace(card.get("name", "first_name").text(maxWord) + " " + card.get("name", "last_name").text(maxWord))
		}
		mine := false
		for _, p := range card.get("phones").list(maxFields) {
			given, id := p.get("phone").text(maxWord), digits(p.get("wa_id").id())
			mine = mine || id == from || digits(given) == from
			if number := e164(given, id); number != "" && !slices.Contains(d.Phones, number) {
				d.Phones = append(d.Phones, number)
			}
		}
		for _, e := range card.get("emails").list(maxFields) {
			if a := strings.TrimSpace(e.get("email").text(maxWord)); a != "" && !slices.Contains(d.Emails, a) {
				d.Emails = append(d.Emails, a)
			}
		}
		for _, a := range card.get("addresses").list(1) {
			d.City, d.Country = a.get("city").text(maxWord), a.get("country").text(maxWord)
		}
		c.Cards = append(c.Cards, chat.Card{Name: d.Name, Phones: d.Phones, Emails: d.Emails, Company: d.Company})
		if mine && own == nil {
			own = &d
		}
	}
	if len(c.Cards) == 0 {
		return nil, nil
	}
	return c, own
}

// e164 returns the number in international form where that can be told: from
// WhatsApp's id, or from a number with a plus. Else it is as given.
func e164(given, id string) string {
	for _, s := range []string{given, "+" + id} {
		if !strings.HasPrefix(strings.TrimSpace(s), "+") || len(s) > 100 {
			continue
		}
		if n, err := phonenumbers.Parse(s, "ZZ"); err == nil && phonenumbers.IsPossibleNumber(n) {
			return phonenumbers.Format(n, phonenumbers.E164)
		}
	}
	return strings.TrimSpace(given)
}

// parseStatus returns a word for what is no status we know.
func parseStatus(n node, received time.Time) (Status, string) {
	s := Status{ID: n.get("id").id(), Customer: customer(n.get("recipient_id")), At: at(n.get("timestamp"), received)}
	if s.Customer == "" {
		s.Customer = n.get("recipient_user_id").id()
	}
	s.Message = chat.MessageID(n.get("biz_opaque_callback_data").id())
	if s.ID == "" || s.Customer == "" {
		return s, "one without recipient or id"
	}
	word := n.get("status").text(50)
	switch word {
	case "sent":
		s.State = chat.Sent
	case "delivered":
		s.State = chat.Delivered
	case "read", "played": // played: a voice message that was listened to
		s.State = chat.Read
	case "failed":
		s.State = chat.Failed
		if s.Error = parseError(n.get("errors")); s.Error == nil {
			s.Error = &chat.DeliveryError{}
		}
	case "":
		return s, "one without a status"
	default:
		return s, word
	}
	return s, ""
}

// at reads seconds since 1970, as a number or a string.
func at(n node, received time.Time) time.Time {
	t := time.Unix(n.int(), 0).UTC()
	if t.Before(earliest) || !t.Before(latest) {
		return received.UTC()
	}
	return t
}
