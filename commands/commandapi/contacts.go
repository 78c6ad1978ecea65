package commandapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/web"
)

type (
	inContact struct {
		Contact contact.ID `path:"contact"`
	}
	contactWith[B any] struct {
		Contact contact.ID `path:"contact"`
		Body    B
	}
	inContactNote struct {
		Contact contact.ID     `path:"contact"`
		Note    contact.NoteID `path:"note"`
	}
	contactNoteWith[B any] struct {
		Contact contact.ID     `path:"contact"`
		Note    contact.NoteID `path:"note"`
		Body    B
	}
	inAttribute struct {
		Attribute attribute.ID `path:"attribute"`
	}
	attributeWith[B any] struct {
		Attribute attribute.ID `path:"attribute"`
		Body      B
	}
)

// ContactBody has the details of a contact. What is not given stays.
type ContactBody struct {
	Name       *string        `json:"name,omitempty" nullable:"true" example:"Ana Lima" doc:"An empty text or null takes it away, as it does the other texts."`
	Emails     []string       `json:"emails,omitempty" maxItems:"50" example:"[\"ana.lima@example.com\"]" doc:"All of them, the one to write to first; an empty list or null takes them away."`
	Phones     []string       `json:"phones,omitempty" maxItems:"50" example:"[\"+15551230001\"]" doc:"All of them, the one to call first, with + and the country code."`
	Company    *string        `json:"company,omitempty" nullable:"true" example:"Lima Hats"`
	City       *string        `json:"city,omitempty" nullable:"true" example:"Lisbon"`
	Country    *string        `json:"country,omitempty" nullable:"true" example:"PT"`
	Gender     *string        `json:"gender,omitempty" nullable:"true" example:"female"`
	Language   *string        `json:"language,omitempty" nullable:"true" example:"pt"`
	Attributes map[string]any `json:"attributes,omitempty" doc:"The workspace's own fields, by id or name, each a text, a number, true or false; null takes it away."`
}

// NewContactBody has the details of a contact to add.
type NewContactBody struct {
	ContactBody
	Chat string `json:"chat,omitempty" doc:"The id of the chat whose customer it is: theirs is its first number, and the chat is the contact's. Their number alone is not enough to make a contact."`
}

// UnmarshalJSON reads what is embedded as it reads itself.
func (b *NewContactBody) UnmarshalJSON(data []byte) error {
	own := struct {
		Chat *string `json:"chat"`
	}{&b.Chat}
	if err := json.Unmarshal(data, &b.ContactBody); err != nil {
		return err //nolint:wrapcheck // as below
	}
	return json.Unmarshal(data, &own) //nolint:wrapcheck // as below
}

// UnmarshalJSON takes null for the empty value, which takes one away: without it, null
// would be as if it was not given.
func (b *ContactBody) UnmarshalJSON(data []byte) error {
	type plain ContactBody
	if err := json.Unmarshal(data, (*plain)(b)); err != nil {
		return err //nolint:wrapcheck // it is explained where the body is read
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return err //nolint:wrapcheck // the same
	}
	for name, field := range map[string]**string{
		contact.Name: &b.Name, contact.Company: &b.Company, contact.City: &b.City,
		contact.Country: &b.Country, contact.Gender: &b.Gender, contact.Language: &b.Language,
	} {
		if _, ok := given[name]; ok && *field == nil {
			*field = new(string)
		}
	}
	for name, field := range map[string]*[]string{contact.Emails: &b.Emails, contact.Phones: &b.Phones} {
		if _, ok := given[name]; ok && *field == nil {
			*field = []string{}
		}
	}
	return nil
}

func (b ContactBody) changes() ([]contact.Change, error) {
	var out []contact.Change
	one := func(field string, v *string) {
		if v != nil {
			out = append(out, contact.Change{Field: field, Values: []string{*v}})
		}
	}
	one(contact.Name, b.Name)
	if b.Emails != nil {
		out = append(out, contact.Change{Field: contact.Emails, Values: b.Emails})
	}
	if b.Phones != nil {
		out = append(out, contact.Change{Field: contact.Phones, Values: b.Phones})
	}
	one(contact.Company, b.Company)
	one(contact.City, b.City)
	one(contact.Country, b.Country)
	one(contact.Gender, b.Gender)
	one(contact.Language, b.Language)
	var own []contact.Change
	for name, v := range b.Attributes {
		ch := contact.Change{Field: contact.Custom + name}
		text, given, ok := scalar(v)
		switch {
		case !ok:
			return nil, web.BadRequest(web.CodeInvalid, "body.attributes."+name, "want a text, a number, true, false or null")
		case given:
			ch.Values = []string{text}
		}
		own = append(own, ch)
	}
	slices.SortFunc(own, func(a, b contact.Change) int {
		if a.Field < b.Field {
			return -1
		}
		return 1
	})
	return append(out, own...), nil
}

// scalar returns a JSON value as text. given is false for null.
func scalar(v any) (text string, given, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", false, true
	case string:
		return v, true, true
	case bool:
		return strconv.FormatBool(v), true, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true, true
	case json.Number:
		return v.String(), true, true
	}
	return "", false, false
}

// OtherContactBody names another contact.
type OtherContactBody struct {
	Contact string `json:"contact" doc:"The id of the other contact."`
}

// AnswerBody is an answer to a chatflow's question.
type AnswerBody struct {
	Chat      string `json:"chat,omitempty" doc:"The id of the chat it was given in. Either this or customer."`
	Customer  string `json:"customer,omitempty" example:"+15551230001" doc:"A phone number with its country code, or the customer's id in the channel."`
	Bot       string `json:"bot,omitempty" example:"welcome-bot" doc:"The caller if it is not given."`
	Flow      string `json:"flow" example:"welcome"`
	Question  string `json:"question" example:"shirt size?"`
	Value     string `json:"value" example:"M"`
	Marks     bool   `json:"marks_as_contact,omitempty" doc:"Whoever gave the answer is a contact."`
	Attribute string `json:"attribute,omitempty" example:"size" doc:"The id or name of an attribute that the answer fills."`
}

// WrittenContactNote is the answer to a new note.
type WrittenContactNote struct {
	Written
	Contact string `json:"contact"`
}

// AttributeBody is a new attribute.
type AttributeBody struct {
	Name    string   `json:"name" example:"Size"`
	Kind    string   `json:"kind" enum:"text,number,bool,date,choice" example:"choice"`
	Choices []string `json:"choices,omitempty" maxItems:"200" example:"[\"S\",\"M\",\"L\"]" doc:"With kind choice."`
}

// AttributePatch changes what it names.
type AttributePatch struct {
	Name    *string  `json:"name,omitempty" example:"Shirt size"`
	Choices []string `json:"choices,omitempty" maxItems:"200" example:"[\"S\",\"M\",\"L\",\"XL\"]" doc:"All of them, with kind choice. Contacts keep what they have."`
}

// contacts is the table of everything that can be done to contacts.
func (a *api) contacts() []web.Endpoint {
	type ctx = context.Context
	return []web.Endpoint{
		write(a, "POST /v1/contacts", staff, "Add a contact by hand",
			func(ctx ctx, c caller, in *with[NewContactBody]) (result, error) {
				changes, err := in.Body.changes()
				if err != nil {
					return result{}, err
				}
				return a.Contacts.Add(ctx, c.Origin, contact.Add{Workspace: c.Workspace, Changes: changes, Link: contact.Link{Chat: in.Body.Chat}, Source: c.typed(), At: c.At})
			}, answers(201), "A name, an e-mail address or a phone number is needed. The id follows from the chat's customer, if a chat is named, else from the first phone number with a country code, else from the first address; if there is such a contact already, it is a 409."),
		a.importContacts(),
		write(a, "PATCH /v1/contacts/{contact}", staff, "Change details of a contact",
			func(ctx ctx, c caller, in *contactWith[ContactBody]) (result, error) {
				changes, err := in.Body.changes()
				if err != nil {
					return result{}, err
				}
				return a.Contacts.Edit(ctx, c.Origin, in.Contact, contact.Edit{Changes: changes, By: contact.AgentID(c.By), At: c.At})
			}, "All of what is given, or nothing. Each field keeps who gave it, how and when."),
		write(a, "POST /v1/contacts/{contact}/tags", anyone, "Add and remove tags of a contact, by id or name",
			func(ctx ctx, c caller, in *contactWith[TagsBody]) (result, error) {
				return a.Contacts.ChangeTags(ctx, c.Origin, in.Contact, commands.ChangeTags{Add: in.Body.Add, Remove: in.Body.Remove, MayCreate: true})
			}, "A name that is no tag yet becomes one. Other tags of the contact stay."),
		respond(a, "POST /v1/contacts/{contact}/notes", anyone, "Add a private note to a contact",
			func(ctx ctx, c caller, in *contactWith[NoteBody]) (result, error) {
				return a.Contacts.AddNote(ctx, c.Origin, in.Contact, contact.AddNote{Note: commands.NewContactNote(c.Origin), Text: in.Body.Text, By: contact.AgentID(c.By), At: c.At})
			}, func(r result, c caller, _ *contactWith[NoteBody]) WrittenContactNote {
				w := written(r)
				w.ID = string(commands.NewContactNote(c.Origin))
				return WrittenContactNote{Written: w, Contact: r.ID}
			}, answers(201)),
		write(a, "PATCH /v1/contacts/{contact}/notes/{note}", anyone, "Replace the text of a contact's note",
			func(ctx ctx, c caller, in *contactNoteWith[NoteBody]) (result, error) {
				return a.Contacts.EditNote(ctx, c.Origin, in.Contact, contact.EditNote{Note: in.Note, Text: in.Body.Text, By: contact.AgentID(c.By), At: c.At, Any: c.Senior})
			}, "Supervisors and admins may edit the notes of others."),
		write(a, "DELETE /v1/contacts/{contact}/notes/{note}", anyone, "Delete a contact's note",
			func(ctx ctx, c caller, in *inContactNote) (result, error) {
				return a.Contacts.DeleteNote(ctx, c.Origin, in.Contact, contact.DeleteNote{Note: in.Note, By: contact.AgentID(c.By), At: c.At, Any: c.Senior})
			}, "Supervisors and admins may delete the notes of others. The log keeps it."),
		write(a, "POST /v1/contacts/{contact}/status", staff, "Move a contact to a status, by id or name",
			func(ctx ctx, c caller, in *contactWith[StatusBody]) (result, error) {
				return a.Contacts.SetStatus(ctx, c.Origin, in.Contact, in.Body.Status)
			}),
		write(a, "POST /v1/contacts/{contact}/assign", staff, "Assign a contact to an active agent",
			func(ctx ctx, c caller, in *contactWith[AssignBody]) (result, error) {
				return a.Contacts.Assign(ctx, c.Origin, in.Contact, contact.Assign{To: contact.AgentID(in.Body.Agent)})
			}),
		write(a, "POST /v1/contacts/{contact}/unassign", staff, "Leave a contact to nobody",
			func(ctx ctx, c caller, in *inContact) (result, error) {
				return a.Contacts.Unassign(ctx, c.Origin, in.Contact, contact.Unassign{})
			}),
		write(a, "POST /v1/contacts/{contact}/block", staff, "Block a contact",
			func(ctx ctx, c caller, in *contactWith[*ReasonBody]) (result, error) {
				return a.Contacts.Block(ctx, c.Origin, in.Contact, contact.Block{By: contact.AgentID(c.By), Reason: in.Body.reason(), At: c.At})
			}, "Nobody is bothered with it any more: what it writes is kept and shown, but reopens no chat and counts as unread nowhere. Nothing is sent to it: messages, scheduled ones, reactions, read marks and calls are refused (chat.blocked), and campaigns leave it out."),
		write(a, "POST /v1/contacts/{contact}/unblock", staff, "Unblock a contact",
			func(ctx ctx, c caller, in *inContact) (result, error) {
				return a.Contacts.Unblock(ctx, c.Origin, in.Contact, contact.Unblock{By: contact.AgentID(c.By), At: c.At})
			}, "Also if what was blocked was merged into it."),
		write(a, "POST /v1/contacts/{contact}/merge", staff, "Show another contact as a part of this one",
			func(ctx ctx, c caller, in *contactWith[OtherContactBody]) (result, error) {
				return a.Contacts.Merge(ctx, c.Origin, in.Contact, contact.ID(in.Body.Contact), contact.Merge{By: contact.AgentID(c.By), At: c.At})
			}, "Both keep a history of their own: what the customer behind the other shares from now on is still the other's, and unmerge gives each what is its own. A contact into which others were merged cannot be merged itself."),
		write(a, "POST /v1/contacts/{contact}/unmerge", staff, "Take a merge back",
			func(ctx ctx, c caller, in *contactWith[OtherContactBody]) (result, error) {
				return a.Contacts.Unmerge(ctx, c.Origin, in.Contact, contact.ID(in.Body.Contact), contact.Unmerge{By: contact.AgentID(c.By), At: c.At})
			}, "What agents did to the contact since it was merged stays with it; what was the other's, and what its customer has shared since, is the other's again."),
		write(a, "DELETE /v1/contacts/{contact}", seniors, "Hide a contact from every list and count",
			func(ctx ctx, c caller, in *contactWith[*ReasonBody]) (result, error) {
				return a.Contacts.Delete(ctx, c.Origin, in.Contact, contact.Delete{By: contact.AgentID(c.By), Reason: in.Body.reason()})
			}, "Its chats forget it, but for what the channel knows. It comes back if it is restored, or if its customer shares details again."),
		write(a, "POST /v1/contacts/{contact}/restore", seniors, "Bring a deleted contact back",
			func(ctx ctx, c caller, in *inContact) (result, error) {
				return a.Contacts.Restore(ctx, c.Origin, in.Contact, contact.Restore{By: contact.AgentID(c.By)})
			}),

		write(a, "POST /v1/chatflows/answers", anyone, "Report an answer to a chatflow's question", a.answer,
			"About the customer of a chat, or who has a phone number. The answer may mark them as a contact and fill one of the workspace's attributes. The same answer to the same question again changes nothing, so that it is safe to repeat."),

		write(a, "POST /v1/attributes", seniors, "Give contacts a field of the workspace's own",
			func(ctx ctx, c caller, in *with[AttributeBody]) (result, error) {
				r, err := a.Attributes.Define(ctx, c.Origin, attribute.Define{Name: in.Body.Name, Kind: attribute.Kind(in.Body.Kind), Choices: in.Body.Choices})
				return a.made(ctx, c, "attributes", "attribute", r, err)
			}, answers(201), "Its kind cannot be changed later. "+listRevision),
		write(a, "PATCH /v1/attributes/{attribute}", seniors, "Change an attribute's name or choices", a.patchAttribute, allOrNone+listRevision),
		write(a, "DELETE /v1/attributes/{attribute}", seniors, "Take an attribute out of use",
			func(ctx ctx, c caller, in *inAttribute) (result, error) {
				r, err := a.Attributes.Archive(ctx, c.Origin, attribute.Archive{Attribute: in.Attribute})
				return called(string(in.Attribute), r, err)
			}, "Contacts keep their values, and get no new ones. "+listRevision),
		write(a, "POST /v1/attributes/{attribute}/restore", seniors, "Take an attribute back into use",
			func(ctx ctx, c caller, in *inAttribute) (result, error) {
				r, err := a.Attributes.Restore(ctx, c.Origin, attribute.Restore{Attribute: in.Attribute})
				return called(string(in.Attribute), r, err)
			}, listRevision),
	}
}

func (a *api) answer(ctx context.Context, c caller, in *with[AnswerBody]) (result, error) {
	b := in.Body
	cmd := contact.Answer{
		Bot: contact.AgentID(cmp.Or(b.Bot, string(c.By))), Flow: b.Flow, Question: b.Question, Value: b.Value, Marks: b.Marks, At: c.At,
	}
	if b.Attribute != "" {
		cmd.Changes = []contact.Change{{Field: contact.Custom + b.Attribute, Values: []string{b.Value}}}
	}
	customer := b.Customer
	switch {
	case (b.Chat == "") == (b.Customer == ""):
		return result{}, web.BadRequest(web.CodeInvalid, "body.chat", "want either a chat or a customer")
	case b.Chat != "":
		err := a.Chats.Look(ctx, c.Workspace, chat.ID(b.Chat), func(s chat.State) error {
			cmd.Link, cmd.Profile = contact.Link{Chat: b.Chat, Channel: s.Channel, Customer: s.Customer}, s.Known.Profile.Value
			if s.Deleted {
				return chat.ErrNotFound
			}
			return nil
		})
		if err != nil {
			return result{}, err
		}
		customer = cmd.Link.Customer
	default:
		if number, ok := contact.Phone(b.Customer); ok {
			customer = number[1:]
			if b.Marks {
				cmd.Changes = append(cmd.Changes, contact.Change{Field: contact.Phones, Values: []string{number}})
			}
		}
	}
	res, err := a.Contacts.Answer(ctx, c.Origin, customer, cmd)
	if f, ok := errors.AsType[*fault.Error](err); ok && strings.HasPrefix(f.Field, contact.Custom) {
		err = f.At("attribute")
		if errors.Is(f, attribute.ErrValue) {
			err = f.At("value")
		}
	}
	return res, err
}

// typed is the source of what the caller types in.
func (c caller) typed() contact.Source {
	return contact.Source{Reason: contact.ByAgent, By: contact.AgentID(c.By)}
}

func (a *api) patchAttribute(ctx context.Context, c caller, in *attributeWith[AttributePatch]) (result, error) {
	var changes []func(attribute.State) ([]attribute.Event, error)
	if in.Body.Name != nil {
		changes = append(changes, attribute.Rename{Attribute: in.Attribute, Name: *in.Body.Name}.Decide)
	}
	if in.Body.Choices != nil {
		changes = append(changes, attribute.SetChoices{Attribute: in.Attribute, Choices: in.Body.Choices}.Decide)
	}
	r, err := change(ctx, c, a.Attributes.Change, changes)
	return called(string(in.Attribute), r, err)
}
