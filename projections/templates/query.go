package templates

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Query says which templates to read. What is "" lets every one pass.
type Query struct {
	Workspace string
	Channel   string
	Status    string
	Language  string
	Name      string
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of the list: by name, then by language.
type Page struct {
	Templates []Template
	Next      string // cursor of the next page; "" if this is the last
}

type spot struct {
	Name     string `json:"n"`
	Language string `json:"l"`
	ID       string `json:"i"`
}

const list = "templates"

// List returns templates that are defined.
func List(ctx context.Context, tx sqldb.Tx, q Query) (p Page, err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return p, err
	}
	args := []any{q.Workspace}
	where := "listed = $1"
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where += " AND " + condition
	}
	for column, value := range map[string]string{"channel": q.Channel, "status": q.Status, "language": q.Language, "name": q.Name} {
		if strings.Contains(value, "\x00") {
			return p, nil
		}
		if value != "" {
			add(column+" = ?", value)
		}
	}
	if q.Cursor != "" {
		var from spot
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return p, err
		}
		add("(name, language, template_id) > (?, ?, ?)", from.Name, from.Language, from.ID)
	}
	args = append(args, limit+1)
	rows, err := sqldb.Select[Template](ctx, tx, fmt.Sprintf("SELECT * FROM templates_templates WHERE %s ORDER BY name, language, template_id LIMIT $%d", where, len(args)), args...)
	if err != nil {
		return p, fmt.Errorf("list templates: %w", err)
	}
	cut := cursor.Cut(list, rows, limit, func(t *Template) any { return spot{t.Name, t.Language, t.ID} })
	return Page{Templates: cut.Items, Next: cut.Next}, nil
}

// Get returns a template that is defined.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (t Template, err error) {
	if strings.Contains(id, "\x00") {
		return t, template.ErrNotFound
	}
	t, err = sqldb.Get[Template](ctx, tx, "SELECT * FROM templates_templates WHERE template_id = $1 AND listed = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return t, template.ErrNotFound
	}
	if err != nil {
		return t, fmt.Errorf("get template: %w", err)
	}
	return t, nil
}
