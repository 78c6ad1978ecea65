package commandapi

import (
	"context"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/internal/web"
)

// Who may do what. A bot answers, notes, tags, transfers and orders; it is
// never responsible for a chat.
var (
	staff   = []agent.Role{agent.RoleAgent, agent.RoleSupervisor, agent.RoleAdmin}
	anyone  = []agent.Role{agent.RoleAgent, agent.RoleBot, agent.RoleSupervisor, agent.RoleAdmin}
	seniors = []agent.Role{agent.RoleSupervisor, agent.RoleAdmin}
	admins  = []agent.Role{agent.RoleAdmin}
)

type result = commands.Result

// routes is the table of everything that can be changed.
func (a *api) routes() []web.Endpoint {
	type ctx = context.Context
	return append(a.contacts(), []web.Endpoint{
		respond(a, "POST /v1/chats/{chat}/messages", anyone, "Answer the customer",
			a.send, queuedMessage, answers(202), "The message is queued, then sent in order with the others of its chat. A closed chat has to be reopened first. On WhatsApp, more than 24 hours after the customer's last message only a template can be sent: anything else is refused as chat.window_closed, with the address of the templates that can be sent instead."),
		write(a, "POST /v1/chats/{chat}/claim", staff, "Claim a chat that nobody has",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				if c.Agent == "" {
					return result{}, ErrNoAgent
				}
				return a.Chats.Claim(ctx, c.Origin, in.Chat, chat.Claim{By: c.By})
			}, "Of two agents who claim a chat at once, one gets it and the other a 409."),
		write(a, "POST /v1/chats/{chat}/assign", staff, "Assign a chat to an active agent",
			func(ctx ctx, c caller, in *chatWith[AssignBody]) (result, error) {
				return a.Chats.Assign(ctx, c.Origin, in.Chat, chat.Assign{To: chat.AgentID(in.Body.Agent)})
			}),
		write(a, "POST /v1/chats/{chat}/unassign", staff, "Leave a chat to nobody",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				return a.Chats.Unassign(ctx, c.Origin, in.Chat, chat.Unassign{})
			}),
		write(a, "POST /v1/chats/{chat}/transfer", anyone, "Hand a chat on to an agent, a team or the bot",
			a.transfer, "With accept it is offered: it stays with the agent who has it until the other accepts, and altogether if that is declined, withdrawn or not done in time."),
		write(a, "POST /v1/chats/{chat}/status", staff, "Move a chat to a status, by id or name",
			func(ctx ctx, c caller, in *chatWith[StatusBody]) (result, error) {
				return a.Chats.SetStatus(ctx, c.Origin, in.Chat, in.Body.Status)
			}),
		write(a, "POST /v1/chats/{chat}/close", staff, "Close a chat",
			func(ctx ctx, c caller, in *chatWith[*OptionalStatusBody]) (result, error) {
				return a.Chats.Close(ctx, c.Origin, in.Chat, in.Body.status())
			}, "Without a status: the first of the closed category."),
		write(a, "POST /v1/chats/{chat}/reopen", staff, "Reopen a closed chat",
			func(ctx ctx, c caller, in *chatWith[*OptionalStatusBody]) (result, error) {
				return a.Chats.Reopen(ctx, c.Origin, in.Chat, in.Body.status())
			}, "Without a status: the workspace's default."),
		write(a, "POST /v1/chats/{chat}/tags", anyone, "Add and remove tags, by id or name",
			func(ctx ctx, c caller, in *chatWith[TagsBody]) (result, error) {
				return a.Chats.ChangeTags(ctx, c.Origin, in.Chat, commands.ChangeTags{Add: in.Body.Add, Remove: in.Body.Remove, MayCreate: true})
			}, "A name that is no tag yet becomes one. Other tags of the chat stay."),
		respond(a, "POST /v1/chats/{chat}/notes", anyone, "Add a private note",
			func(ctx ctx, c caller, in *chatWith[NoteBody]) (result, error) {
				return a.Chats.AddNote(ctx, c.Origin, in.Chat, chat.AddNote{Note: commands.NewNote(c.Origin), Text: in.Body.Text, By: c.By, At: c.At})
			}, writtenNote, answers(201), "The customer never sees it."),
		write(a, "PATCH /v1/chats/{chat}/notes/{note}", anyone, "Replace the text of a note",
			func(ctx ctx, c caller, in *noteWith[NoteBody]) (result, error) {
				return a.Chats.EditNote(ctx, c.Origin, in.Chat, chat.EditNote{Note: in.Note, Text: in.Body.Text, By: c.By, At: c.At, Any: c.Senior})
			}, "Supervisors and admins may edit the notes of others."),
		write(a, "DELETE /v1/chats/{chat}/notes/{note}", anyone, "Delete a note",
			func(ctx ctx, c caller, in *inNote) (result, error) {
				return a.Chats.DeleteNote(ctx, c.Origin, in.Chat, chat.DeleteNote{Note: in.Note, By: c.By, At: c.At, Any: c.Senior})
			}, "Supervisors and admins may delete the notes of others. The history keeps it."),
		write(a, "POST /v1/chats/{chat}/read", staff, "Mark a chat as read",
			func(ctx ctx, c caller, in *chatWith[*ReadBody]) (result, error) {
				show := in.Body != nil && in.Body.ShowCustomer
				return a.Chats.MarkRead(ctx, c.Origin, in.Chat, chat.MarkRead{By: c.By, Bot: c.Bot, At: c.At, Show: show})
			}, "With show_customer the customer sees that their messages were read, if the channel can show it."),
		write(a, "POST /v1/chats/{chat}/typing", anyone, "Show the customer that you write",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				r, err := a.Chats.ShowTyping(ctx, c.Origin, in.Chat, chat.ShowTyping{By: c.By, Bot: c.Bot, At: c.At})
				return r, a.offering(ctx, c, in.Chat, err)
			}, answers(202), "They see it for 25 seconds, or until the answer comes, and that their messages were read. Again within that time it is left at that, so it can be asked for as long as somebody writes. As with messages, a closed chat has to be reopened first, and the customer has to have written within 24 hours."),
		write(a, "POST /v1/chats/{chat}/messages/{message}/reactions", anyone, "React to a message of the customer",
			func(ctx ctx, c caller, in *messageWith[ReactionBody]) (result, error) {
				return a.react(ctx, c, in.Chat, in.Message, in.Body.Emoji)
			}, answers(202), "With an emoji, in the place of the one that the team had put on the message. The conversation shows it at once; if WhatsApp does not take it, it is gone again and an entry says why. As with messages, a closed chat has to be reopened first, and the customer has to have written within 24 hours."),
		write(a, "DELETE /v1/chats/{chat}/messages/{message}/reactions", anyone, "Take a reaction back",
			func(ctx ctx, c caller, in *inMessage) (result, error) {
				return a.react(ctx, c, in.Chat, in.Message, "")
			},
			answers(202), "Whoever of the team has put it there. If there is none it is left at that."),
		write(a, "POST /v1/chats/{chat}/unread", staff, "Mark a chat as unread",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				return a.Chats.MarkUnread(ctx, c.Origin, in.Chat, chat.MarkUnread{By: c.By})
			}),
		write(a, "POST /v1/chats/{chat}/snooze", staff, "Put a chat aside",
			func(ctx ctx, c caller, in *chatWith[SnoozeBody]) (result, error) {
				return a.Chats.Snooze(ctx, c.Origin, in.Chat, chat.PutAside{Until: in.Body.until(), UntilReply: in.Body.UntilReply, By: c.By, At: c.At})
			}, "Until a time, or until the customer writes, whichever comes first. It then is in no list or count but those of the snoozed. Snoozed again, the end is moved."),
		write(a, "POST /v1/chats/{chat}/unsnooze", staff, "Take a chat back that was put aside",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				return a.Chats.Wake(ctx, c.Origin, in.Chat, chat.WakeUp{By: c.By})
			}),
		write(a, "POST /v1/chats/{chat}/messages/{message}/media/fetch", staff, "Try again to fetch the file of a message",
			func(ctx ctx, c caller, in *inMessage) (result, error) {
				return a.Chats.RequestMedia(ctx, c.Origin, in.Chat, chat.RequestMedia{Message: in.Message, By: c.By, At: c.At})
			}, answers(202), "For a file that could not be had: once the cause is mended, say an access token that had expired. One that is there, or on its way, is left as it is."),
		write(a, "DELETE /v1/chats/{chat}", seniors, "Hide a chat from every list and count",
			func(ctx ctx, c caller, in *chatWith[*ReasonBody]) (result, error) {
				return a.Chats.Delete(ctx, c.Origin, in.Chat, chat.Delete{By: c.By, Reason: in.Body.reason()})
			}),
		write(a, "POST /v1/chats/{chat}/restore", seniors, "Bring a deleted chat back",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				return a.Chats.Restore(ctx, c.Origin, in.Chat, chat.Restore{By: c.By})
			}),
		a.transcript(),
		a.proof(),
		respond(a, "POST /v1/chats/{chat}/calls", staff, "Call the customer",
			func(ctx ctx, c caller, in *chatWith[*CallBody]) (result, error) {
				return a.Calls.Request(ctx, c.Origin, in.Chat, in.Body.command(c))
			}, requestedCall, answers(202), "The answer's id is that of the call, which GET /v1/calls/{call} shows, and so is its revision. If-Match is about the chat. Refused without a phone number, while another call of the chat goes on, and where the channel is not set up for calls."),
		respond(a, "POST /v1/chats/{chat}/calls/permission", staff, "Ask the customer to allow calls", a.askToCall, queuedMessage, answers(202),
			"A message with buttons, whose text says why. WhatsApp calls nobody who has not allowed it; what the customer answers is call_permission of the chat. As any free message it takes that the customer has written within 24 hours. WhatsApp limits how often a customer is asked: once a day, and twice a week."),
		write(a, "POST /v1/calls/{call}/end", staff, "Cancel a call or hang up",
			func(ctx ctx, c caller, in *inCall) (result, error) {
				return a.Calls.RequestEnd(ctx, c.Origin, in.Call, call.RequestEnd{By: string(c.By), At: c.At})
			}, answers(202), "The call ends when its provider was told, or could not be told."),

		respond(a, "POST /v1/bulk", seniors, "Do one thing to many chats, contacts or orders", a.requestBulk, requestedBulk, answers(202),
			"The answer's id is that of a job, which GET /v1/bulk/{job} shows. Its selection is frozen before it begins; what somebody has changed since is left alone, and counted as a conflict. Contacts cannot be closed; orders can be assigned, unassigned, tagged, untagged and exported. The filter of a restore chooses among what is deleted. An export is no job: the answer says where the file is, as that of POST /v1/exports does, and there is nothing to cancel, to retry or to undo."),
		write(a, "POST /v1/bulk/{job}/cancel", seniors, "Stop a bulk operation",
			func(ctx ctx, c caller, in *jobWith[*ReasonBody]) (result, error) {
				return a.Bulk.Cancel(ctx, c.Origin, in.Job, bulk.Cancel{By: string(c.By), Reason: in.Body.reason(), At: c.At})
			}, answers(202), "What it has done stays done; undo takes it back."),
		write(a, "POST /v1/bulk/{job}/retry", seniors, "Try again what failed",
			func(ctx ctx, c caller, in *inJob) (result, error) {
				return a.Bulk.Retry(ctx, c.Origin, in.Job, bulk.Retry{By: string(c.By), At: c.At})
			}, answers(202), "Whatever happened to these chats since the selection."),
		write(a, "POST /v1/bulk/{job}/undo", seniors, "Take back what a bulk operation did",
			func(ctx ctx, c caller, in *inJob) (result, error) {
				return a.Bulk.Undo(ctx, c.Origin, in.Job, bulk.Undo{By: string(c.By), At: c.At})
			}, answers(202), "What anything has happened to since is left alone and listed as touched."),

		respond(a, "POST /v1/exports", takers, "Ask for a file with a list",
			func(ctx ctx, c caller, in *with[ExportBody]) (result, error) {
				return a.Exports.Request(ctx, c.Origin, commands.NewExport(c.Origin), in.Body.command(c))
			}, requestedExport, answers(201), "Who took what is in the log. The file has the list as it is when it is fetched."),

		write(a, "POST /v1/orders", anyone, "Place an order",
			func(ctx ctx, c caller, in *with[OrderBody]) (result, error) {
				cmd, err := in.Body.command(c)
				if err != nil {
					return result{}, err
				}
				return a.Orders.Place(ctx, c.Origin, commands.NewOrder(c.Origin, cmd.External), cmd)
			}, answers(201), "Prices are whole numbers of the currency's minor unit: 1050 is EUR 10.50. Orders with the same external_id are one order: placing it again changes nothing, and is refused if it says something else."),
		write(a, "POST /v1/orders/{order}/confirm", anyone, "Take an order",
			func(ctx ctx, c caller, in *orderWith[*StepBody]) (result, error) {
				return a.tell(ctx, c, in.Order, in.Body, func(n *commands.Notice) (result, error) {
					return a.Orders.Confirm(ctx, c.Origin, in.Order, order.Confirm{}, n)
				})
			}, telling),
		write(a, "POST /v1/orders/{order}/process", anyone, "Start to work on an order",
			func(ctx ctx, c caller, in *orderWith[*StepBody]) (result, error) {
				return a.tell(ctx, c, in.Order, in.Body, func(n *commands.Notice) (result, error) {
					return a.Orders.Process(ctx, c.Origin, in.Order, order.Process{}, n)
				})
			}, telling),
		write(a, "POST /v1/orders/{order}/ship", anyone, "Say that an order is on its way",
			func(ctx ctx, c caller, in *orderWith[*ShipBody]) (result, error) {
				cmd, step := in.Body.command()
				return a.tell(ctx, c, in.Order, step, func(n *commands.Notice) (result, error) {
					return a.Orders.Ship(ctx, c.Origin, in.Order, cmd, n)
				})
			}, telling),
		write(a, "POST /v1/orders/{order}/deliver", anyone, "Say that the customer has it",
			func(ctx ctx, c caller, in *orderWith[*StepBody]) (result, error) {
				return a.tell(ctx, c, in.Order, in.Body, func(n *commands.Notice) (result, error) {
					return a.Orders.Deliver(ctx, c.Origin, in.Order, order.Deliver{}, n)
				})
			}, telling),
		write(a, "POST /v1/orders/{order}/cancel", anyone, "Cancel an order that was not shipped",
			func(ctx ctx, c caller, in *orderWith[*EndBody]) (result, error) {
				reason, step := in.Body.parts()
				return a.tell(ctx, c, in.Order, step, func(n *commands.Notice) (result, error) {
					return a.Orders.Cancel(ctx, c.Origin, in.Order, order.Cancel{Reason: reason}, n)
				})
			}, telling),
		write(a, "POST /v1/orders/{order}/return", anyone, "Say that the customer sent it back",
			func(ctx ctx, c caller, in *orderWith[*EndBody]) (result, error) {
				reason, step := in.Body.parts()
				return a.tell(ctx, c, in.Order, step, func(n *commands.Notice) (result, error) {
					return a.Orders.Return(ctx, c.Origin, in.Order, order.Return{Reason: reason}, n)
				})
			}, telling),
		write(a, "POST /v1/orders/{order}/payment", anyone, "Say how the payment of an order stands",
			func(ctx ctx, c caller, in *orderWith[PaymentBody]) (result, error) {
				return a.Orders.SetPayment(ctx, c.Origin, in.Order, order.SetPayment{Payment: order.Payment(in.Body.Payment), Reference: in.Body.Reference, Reason: in.Body.Reason})
			}, "Only what was paid can be refunded."),
		write(a, "POST /v1/orders/{order}/assign", staff, "Assign an order to an active agent",
			func(ctx ctx, c caller, in *orderWith[AssignBody]) (result, error) {
				return a.Orders.Assign(ctx, c.Origin, in.Order, order.Assign{To: in.Body.Agent})
			}),
		write(a, "POST /v1/orders/{order}/unassign", staff, "Leave an order to nobody",
			func(ctx ctx, c caller, in *inOrder) (result, error) {
				return a.Orders.Unassign(ctx, c.Origin, in.Order, order.Unassign{})
			}),
		write(a, "POST /v1/orders/{order}/tags", anyone, "Add and remove tags of an order, by id or name",
			func(ctx ctx, c caller, in *orderWith[TagsBody]) (result, error) {
				return a.Orders.ChangeTags(ctx, c.Origin, in.Order, commands.ChangeTags{Add: in.Body.Add, Remove: in.Body.Remove, MayCreate: true})
			}, "A name that is no tag yet becomes one. Other tags of the order stay."),
		respond(a, "POST /v1/orders/{order}/notes", anyone, "Add a private note to an order",
			func(ctx ctx, c caller, in *orderWith[NoteBody]) (result, error) {
				return a.Orders.AddNote(ctx, c.Origin, in.Order, order.AddNote{Note: commands.NewOrderNote(c.Origin), Text: in.Body.Text, By: string(c.By), At: c.At})
			}, writtenOrderNote, answers(201), "The customer never sees it."),
		write(a, "PATCH /v1/orders/{order}/notes/{note}", anyone, "Replace the text of a note on an order",
			func(ctx ctx, c caller, in *orderNoteWith[NoteBody]) (result, error) {
				return a.Orders.EditNote(ctx, c.Origin, in.Order, order.EditNote{Note: in.Note, Text: in.Body.Text, By: string(c.By), At: c.At, Any: c.Senior})
			}, "Supervisors and admins may edit the notes of others."),
		write(a, "DELETE /v1/orders/{order}/notes/{note}", anyone, "Delete a note on an order",
			func(ctx ctx, c caller, in *inOrderNote) (result, error) {
				return a.Orders.DeleteNote(ctx, c.Origin, in.Order, order.DeleteNote{Note: in.Note, By: string(c.By), At: c.At, Any: c.Senior})
			}, "Supervisors and admins may delete the notes of others. The log keeps it."),

		write(a, "POST /v1/agents", admins, "Invite a member of staff",
			func(ctx ctx, c caller, in *with[InviteBody]) (result, error) {
				return a.Agents.Invite(ctx, c.Origin, in.Body.id(c), agent.Invite{Name: in.Body.Name, Email: in.Body.Email, Role: agent.Role(in.Body.Role)})
			}, answers(201), "The id follows from the e-mail address, or from the name if there is none."),
		write(a, "POST /v1/agents/{agent}/role", admins, "Give an agent another role",
			func(ctx ctx, c caller, in *agentWith[RoleBody]) (result, error) {
				return a.Agents.ChangeRole(ctx, c.Origin, in.Agent, agent.ChangeRole{Role: agent.Role(in.Body.Role)})
			}),
		write(a, "POST /v1/agents/{agent}/deactivate", admins, "End an agent's access",
			func(ctx ctx, c caller, in *agentWith[*ReasonBody]) (result, error) {
				return a.Agents.Deactivate(ctx, c.Origin, in.Agent, agent.Deactivate{Reason: in.Body.reason()})
			}),
		write(a, "POST /v1/agents/{agent}/reactivate", admins, "Give an agent access again",
			func(ctx ctx, c caller, in *inAgent) (result, error) {
				return a.Agents.Reactivate(ctx, c.Origin, in.Agent, agent.Reactivate{})
			}, "They are offline until they, or somebody for them, say otherwise."),
		write(a, "POST /v1/agents/{agent}/availability", seniors, "Say whether an agent is at work", a.setAvailability),
		write(a, "PUT /v1/agents/{agent}/availability", seniors, "Say whether an agent is at work", a.setAvailability),
		write(a, "POST /v1/me/availability", staff, "Say whether you are at work", a.setMyAvailability),
		write(a, "PUT /v1/me/availability", staff, "Say whether you are at work", a.setMyAvailability),

		write(a, "PUT /v1/agents/{agent}/capacity", seniors, "Bound how many open chats an agent is given",
			func(ctx ctx, c caller, in *agentWith[CapacityBody]) (result, error) {
				return a.Agents.SetCapacity(ctx, c.Origin, in.Agent, agent.SetCapacity{Capacity: in.Body.Capacity})
			}, "By the rules of their teams: what they take themselves, or are assigned, is not bounded."),

		write(a, "POST /v1/teams", seniors, "Make a team",
			func(ctx ctx, c caller, in *with[NameBody]) (result, error) {
				r, err := a.Teams.Create(ctx, c.Origin, team.Create{Name: in.Body.Name})
				return a.made(ctx, c, "teams", "team", r, err)
			}, answers(201), listRevision),
		write(a, "PATCH /v1/teams/{team}", seniors, "Give a team another name",
			func(ctx ctx, c caller, in *teamWith[NameBody]) (result, error) {
				r, err := a.Teams.Rename(ctx, c.Origin, team.Rename{Team: in.Team, Name: in.Body.Name})
				return called(string(in.Team), r, err)
			}, listRevision),
		write(a, "DELETE /v1/teams/{team}", seniors, "Take a team out of use",
			func(ctx ctx, c caller, in *inTeam) (result, error) {
				r, err := a.Teams.Archive(ctx, c.Origin, team.Archive{Team: in.Team})
				return called(string(in.Team), r, err)
			}, listRevision),
		write(a, "POST /v1/teams/{team}/restore", seniors, "Take a team back into use",
			func(ctx ctx, c caller, in *inTeam) (result, error) {
				r, err := a.Teams.Restore(ctx, c.Origin, team.Restore{Team: in.Team})
				return called(string(in.Team), r, err)
			}, "With the members, the rule and the hours that it had. Refused if another team has its name now. "+listRevision),
		write(a, "PUT /v1/teams/{team}/rule", seniors, "Say how a team's chats are given to its members",
			func(ctx ctx, c caller, in *teamWith[RuleBody]) (result, error) {
				r, err := a.Teams.SetRule(ctx, c.Origin, team.SetRule{Team: in.Team, Rule: team.Rule(in.Body.Rule)})
				return called(string(in.Team), r, err)
			}, "Of chats that are handed to the team. With manual, members take them; else each is given to a member who is online and has room, in the team's hours. The assignment says why. "+listRevision),
		write(a, "PUT /v1/teams/{team}/hours", seniors, "Say when a team works",
			func(ctx ctx, c caller, in *teamWith[HoursBody]) (result, error) {
				hours, err := in.Body.hours()
				if err != nil {
					return result{}, err
				}
				r, err := a.Teams.SetHours(ctx, c.Origin, team.SetHours{Team: in.Team, Hours: hours})
				return called(string(in.Team), r, err)
			}, "Without a zone: always. Exceptions are dates with hours of their own, or none. "+listRevision),
		write(a, "POST /v1/teams/{team}/members", seniors, "Put an agent into a team",
			func(ctx ctx, c caller, in *teamWith[MemberBody]) (result, error) {
				r, err := a.Teams.AddMember(ctx, c.Origin, team.AddMember{Team: in.Team, Agent: in.Body.Agent})
				return called(string(in.Team), r, err)
			}, listRevision),
		write(a, "DELETE /v1/teams/{team}/members/{agent}", seniors, "Take an agent out of a team",
			func(ctx ctx, c caller, in *inMember) (result, error) {
				r, err := a.Teams.RemoveMember(ctx, c.Origin, team.RemoveMember{Team: in.Team, Agent: in.Agent})
				return called(string(in.Team), r, err)
			}, listRevision),

		write(a, "POST /v1/tags", seniors, "Make a tag",
			func(ctx ctx, c caller, in *with[TagBody]) (result, error) {
				r, err := a.Tags.Create(ctx, c.Origin, tag.Create{Name: in.Body.Name, Colour: in.Body.Colour})
				return a.made(ctx, c, "tags", "tag", r, err)
			}, answers(201), listRevision),
		write(a, "PATCH /v1/tags/{tag}", seniors, "Change a tag's name or colour, wherever it is used", a.patchTag, allOrNone+listRevision),
		write(a, "DELETE /v1/tags/{tag}", seniors, "Take a tag out of use",
			func(ctx ctx, c caller, in *inTag) (result, error) {
				r, err := a.Tags.Archive(ctx, c.Origin, tag.Archive{Tag: in.Tag})
				return called(string(in.Tag), r, err)
			}, "Chats and orders that have it keep it; it can be taken off them, and not added. "+listRevision),
		write(a, "POST /v1/tags/{tag}/restore", seniors, "Take a tag back into use",
			func(ctx ctx, c caller, in *inTag) (result, error) {
				r, err := a.Tags.Restore(ctx, c.Origin, tag.Restore{Tag: in.Tag})
				return called(string(in.Tag), r, err)
			}, listRevision),

		write(a, "POST /v1/tags/{tag}/merge", seniors, "Merge a tag into another, wherever it is used",
			func(ctx ctx, c caller, in *tagWith[MergeBody]) (result, error) {
				r, err := a.Tags.Merge(ctx, c.Origin, in.Tag, in.Body.Into)
				return called(string(in.Tag), r, err)
			}, "What has the tag shows the other from now on, and its id and name stand for the other. It is for good. "+listRevision),

		write(a, "POST /v1/statuses", seniors, "Make a status",
			func(ctx ctx, c caller, in *with[NewStatusBody]) (result, error) {
				r, err := a.Statuses.Create(ctx, c.Origin, status.Create{Name: in.Body.Name, Colour: in.Body.Colour, Category: status.Category(in.Body.Category)})
				return a.made(ctx, c, "statuses", "status", r, err)
			}, answers(201), listRevision),
		write(a, "PATCH /v1/statuses/{status}", seniors, "Change a status's name, colour or place, or make it the default", a.patchStatus, allOrNone+listRevision),
		write(a, "DELETE /v1/statuses/{status}", seniors, "Take a status out of use",
			func(ctx ctx, c caller, in *inRemap) (result, error) {
				r, err := a.Statuses.Archive(ctx, c.Origin, status.Archive{Status: in.Status, RemapTo: in.RemapTo})
				return called(string(in.Status), r, outside(err, status.ErrRemap, "query.remap_to"))
			}, "A status that chats or contacts have, or had, has to be remapped: they show another of the same category from now on, and its id stands for that. "+listRevision),

		write(a, "POST /v1/statuses/{status}/restore", seniors, "Take a status back into use",
			func(ctx ctx, c caller, in *inStatus) (result, error) {
				r, err := a.Statuses.Restore(ctx, c.Origin, status.Restore{Status: in.Status})
				return called(string(in.Status), r, err)
			}, "At the end of the list. What has it, and has been given no other since, shows it again. Refused if another status has its name now. "+listRevision),

		write(a, "PATCH /v1/channels/{channel}", admins, "Give a channel another name",
			func(ctx ctx, c caller, in *channelWith[NameBody]) (result, error) {
				return a.Channels.Rename(ctx, c.Origin, in.Channel, channel.Rename{Name: in.Body.Name})
			}),
		write(a, "PUT /v1/channels/{channel}/read-marks", admins, "Say when customers see that something was read",
			func(ctx ctx, c caller, in *channelWith[ReadMarksBody]) (result, error) {
				return a.Channels.SetReadMarks(ctx, c.Origin, in.Channel, channel.SetReadMarks{ReadMarks: channel.ReadMarks(in.Body.ReadMarks)})
			}, "For all chats of the channel, from now on."),
		write(a, "DELETE /v1/channels/{channel}", admins, "Disconnect a channel",
			func(ctx ctx, c caller, in *channelWith[*ReasonBody]) (result, error) {
				return a.Channels.Disconnect(ctx, c.Origin, in.Channel, channel.Disconnect{Reason: in.Body.reason()})
			}, "Nothing is taken from it or sent by it any more. Its chats stay."),
		write(a, "POST /v1/channels/{channel}/deliveries/{delivery}/retranslate", admins, "Translate a webhook delivery again", a.retranslate,
			answers(202), "What the server understands today is made into commands; what was made before is not made twice."),
	}...)
}

const (
	telling      = "With notify, the customer gets a message in the order's chat, once for each change of status. If the chat would refuse it, because it is closed, say, the order is left as it is. More than 24 hours after the customer's last message on WhatsApp it takes only a template: anything else is refused as chat.window_closed, with the address of the templates that can be sent instead."
	allOrNone    = "All that is given, or, if one of it is refused, nothing. "
	listRevision = "The revision is that of the workspace's whole list."
)
