package demo

import (
	"fmt"
	"math/rand/v2"
)

// person is a customer. All of them are made up; the numbers are in a range
// that nobody has.
type person struct {
	name, first  string
	phone        string // digits
	email        string
	city         string
	company      string
	lastMessage  string // provider id of the last thing they wrote
	shared       bool   // has sent a contact card
	conversation int    // messages written
}

var (
	firstNames = []string{
		"Ana", "Ben", "Camille", "Dmitri", "Elif", "Farah", "Gabriel", "Hana", "Ibrahim", "Jasmin", "Kofi", "Lucía",
		"Mateo", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Samir", "Tomoko", "Ulrike", "Valentina", "Wanjiru",
		"Xin", "Yusuf", "Zofia", "Aoife", "Bruno", "Chiara", "Diego", "Emeka", "Freya", "Giulia", "Hassan", "Ingrid",
		"João", "Katarzyna", "Liam", "Mei", "Noor", "Olena", "Pablo", "Rania", "Søren", "Thandiwe", "Uma", "Viktor",
	}
	lastNames = []string{
		"Lima", "Okoro", "Durand", "Petrov", "Yılmaz", "Haddad", "Silva", "Sato", "Diallo", "Weber", "Mensah", "García",
		"Rossi", "Rahman", "Lindqvist", "Sharma", "Moreau", "Fernández", "Khalil", "Tanaka", "Schmidt", "Costa", "Mwangi",
		"Chen", "Demir", "Kowalska", "Murphy", "Almeida", "Bianchi", "Torres", "Nwosu", "Hansen", "Ricci", "Farouk",
		"Berg", "Pereira", "Nowak", "O'Brien", "Wong", "Aziz", "Shevchenko", "Ruiz", "Mansour", "Nielsen", "Dlamini",
	}
	cities    = []string{"Lisbon", "Lagos", "Lyon", "Izmir", "Beirut", "Porto", "Osaka", "Dakar", "Hamburg", "Accra", "Sevilla", "Torino", "Dhaka", "Malmö", "Pune", "Nairobi", "Gdańsk", "Cork"}
	companies = []string{"Corner Bikes", "Blue Door Café", "Atelier Nord", "Sunrise Bakery", "Harbour Books", "Green Thumb", "Studio Fünf", "Kite & Co"}
)

// newPerson makes the n-th customer.
func newPerson(r *rand.Rand, n int) *person {
	first, last := pick(r, firstNames), pick(r, lastNames)
	return &person{
		name:  first + " " + last,
		first: first,
		phone: fmt.Sprintf("1555%07d", 2_000_000+n),
		email: fmt.Sprintf("customer%d@example.com", n),
		city:  pick(r, cities), company: pick(r, companies),
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// What customers write, agents answer and note, by what it is about.
var (
	openings = []string{
		"Hi, do you deliver on Sundays?", "Good morning! Is the blue mug back in stock?", "Hello, my parcel has not arrived yet 😕",
		"Can I change the address of my order?", "How long does shipping to %s take?", "Do you have the straw hat in size M?",
		"Hi! I would like to return a hat, it is too small.", "Is it possible to pay on delivery?", "Do you make gift cards?",
		"The lid of the teapot came broken. What can we do?", "Are you open on public holidays?", "Could I get an invoice for my last order?",
		"Bonjour, livrez-vous à %s ?", "Olá, quanto custa o envio para %s?", "¿Tenéis la taza en verde?", "Merhaba, kargo ne zaman gelir?",
	}
	followUps = []string{
		"It is order number 4711, if that helps.", "Take your time, no hurry.", "Any news?", "I need it by Friday, for a birthday 🎂",
		"Great, thank you!", "Hm, that is later than I hoped.", "Could you send me a photo?", "Yes please", "No, the other one",
		"I paid with card.", "Perfect 👍", "Sorry, wrong photo. One moment.", "My neighbour can take the parcel.", "👍", "Is that price with tax?",
	}
	answers = []string{
		"Hello %s, thanks for your message. I am looking into it.", "Hi %s! Yes, we deliver from Monday to Saturday.",
		"Good news, %s: it left our warehouse this morning.", "I am sorry about that, %s. We send you a new one today.",
		"Of course, %s. Which address shall we use?", "It takes two to three working days, %s.", "Sure, here is how a return works: put it back into its box and bring it to any post office.",
		"You are welcome, %s. Have a nice day!", "Could you tell me your order number, %s?",
	}
	notes = []string{
		"Regular customer, be generous.", "Promised a call back before Friday.", "Parcel lost by the carrier, claim filed.",
		"Wants an invoice with the company's address.", "Asked for a discount before; offered 5 %.", "Prefers to write in French.",
	}
	tagNames = []string{"vip", "shipping", "return", "invoice", "wholesale", "broken item", "feedback"}
	products = []struct {
		sku   string
		price int // minor units
	}{{"sku-hat-01", 1999}, {"sku-mug-07", 750}, {"sku-teapot-02", 3450}, {"sku-scarf-11", 2400}, {"sku-candle-05", 1290}}
)
