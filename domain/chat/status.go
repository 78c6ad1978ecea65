package chat

// SetStatus moves the chat to a status of the workspace's list, of whatever
// category: that may close it or reopen it. The status it has is no event.
type SetStatus struct {
	Status   string
	Category Category // of that status
}

// Decide implements the command.
func (c SetStatus) Decide(s State) ([]Event, error) {
	if c.Category == CategoryClosed {
		return Close{Status: c.Status}.Decide(s)
	}
	if err := checkOpen(c.Status, c.Category); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	switch {
	case s.Closed():
		return []Event{Reopened{Status: c.Status, Category: c.Category, From: s.Status}}, nil
	case s.Status == c.Status:
		return nil, nil
	}
	return []Event{StatusSet{Status: c.Status, Category: c.Category, From: s.Status}}, nil
}

// Close moves the chat to a status of the closed category. The assignee stays.
// The status it has is no event.
type Close struct {
	Status string
}

// Decide implements the command.
func (c Close) Decide(s State) ([]Event, error) {
	if c.Status == "" {
		return nil, ErrStatusMissing
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if s.Status == c.Status {
		if !s.Closed() {
			return nil, ErrStatusNotClosed
		}
		return nil, nil
	}
	return []Event{Closed{Status: c.Status, Category: CategoryClosed, From: s.Status}}, nil
}

// Reopen moves a closed chat to a status that is not closed. A chat that is not
// closed keeps the status it has: no event.
type Reopen struct {
	Status   string
	Category Category // of that status
}

// Decide implements the command.
func (c Reopen) Decide(s State) ([]Event, error) {
	if err := checkOpen(c.Status, c.Category); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if !s.Closed() {
		return nil, nil
	}
	return []Event{Reopened{Status: c.Status, Category: c.Category, From: s.Status}}, nil
}

// checkOpen refuses what is not a status of the open or the pending category.
func checkOpen(status string, category Category) error {
	switch {
	case status == "":
		return ErrStatusMissing
	case category == CategoryClosed:
		return ErrStatusClosed
	case category != CategoryOpen && category != CategoryPending:
		return ErrCategory
	}
	return nil
}
