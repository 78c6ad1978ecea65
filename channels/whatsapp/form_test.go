package whatsapp_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/channels/whatsapp"
)

// reply is the answer of customer 4915551 to a flow.
func reply(answers string) string {
	text, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"id":"wamid.1","from":"4915551","timestamp":"1790000000","type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":%s}}}`, text)
}

func TestWhatAFormSaysOfTheCustomer(t *testing.T) {
	for _, tc := range []struct {
		name, answers string
		want          *whatsapp.Details
	}{
		{"nothing about them", `{"flow_token":"f1","size":"L","gift":true}`, nil},
		{"a city alone", `{"city":"Porto","country":"PT"}`, nil},
		{
			"all there is", `{"name":" Ana Lima ","email":"ana@example.com","phone":"+351 912 345 678","city":"Porto","country":"PT","size":"L"}`,
			&whatsapp.Details{Name: "Ana Lima", Emails: []string{"ana@example.com"}, Phones: []string{"+351912345678"}, City: "Porto", Country: "PT"},
		},
		{
			"other ways to write it", `{"First Name":"Ana","last-name":"Lima","E-mail":"ana@example.com","PHONE_NUMBER":351912345678}`,
			&whatsapp.Details{Name: "Ana Lima", Emails: []string{"ana@example.com"}, Phones: []string{"351912345678"}},
		},
		{"a first name alone", `{"first_name":"Ana"}`, &whatsapp.Details{Name: "Ana"}},
		{"the full name counts", `{"name":"Ana","full_name":"Ana Lima","first_name":"A."}`, &whatsapp.Details{Name: "Ana Lima"}},
		{
			"Meta's form builder", `{"screen_0_Name_0":"Ana","screen_0_E-mail_1":"ana@example.com","screen_1_Email_0":"lima@example.com","screen_1_Phone_number_1":"0049 15551","screen_1_City_2":"0_New_York","screen_1_Country_3":"1_US"}`,
			&whatsapp.Details{Name: "Ana", Emails: []string{"ana@example.com", "lima@example.com"}, Phones: []string{"+4915551"}, City: "New York", Country: "US"},
		},
		{"the number that they write from", `{"phone":"4915551"}`, &whatsapp.Details{Phones: []string{"+4915551"}}},
		{"what is no address and no number", `{"email":"ana at example.com","phone":"call me"}`, nil},
		{"a number that nobody has", `{"phone":"+1 5","name":"Ana"}`, &whatsapp.Details{Name: "Ana"}},
		{"what is no text", `{"name":["Ana"],"email":{"work":"ana@example.com"},"phone":null}`, nil},
		{"no object", `["name","Ana"]`, nil},
		{"NUL", "{\"name\":\"\\u0000\",\"em\\u0000ail\":\"a\\u0000na@example.com\"}", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := parseOne(t, reply(tc.answers)).Messages[0]
			if diff := cmp.Diff(tc.want, m.Form); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if m.Content.Kind != "flow" || m.Content.Flow.Answers == nil {
				t.Errorf("the answers are not kept: %+v", m.Content)
			}
		})
	}
}

func TestAFormSharesDetails(t *testing.T) {
	for i, answers := range []string{`{"size":"L"}`, `{"name":"Ana Lima","email":"ana@","phone":"+4915551"}`} {
		w := newWorld(t)
		w.post([]byte(`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"` + phoneID + `"},
			"messages":[` + reply(answers) + `]}}]}]}`))
		if err := w.translate(); err != nil {
			t.Fatal(err)
		}
		var shared []map[string]any
		for _, f := range w.facts("chat", 0) {
			if f.Type == "chat.details_shared.v1" {
				shared = append(shared, f.Data)
			}
		}
		if len(shared) != i {
			t.Fatalf("%s: %v", answers, shared)
		}
		if i == 1 && (shared[0]["reason"] != "form" || shared[0]["name"] != "Ana Lima" || shared[0]["emails"] != nil || shared[0]["message"] == nil) {
			t.Errorf("shared %v", shared)
		}
	}
}
