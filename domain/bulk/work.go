package bulk

import "time"

// Record says what became of a chunk, in the phase and attempt that it was worked
// for. One that was recorded already, or that is asked for no more, is no event.
type Record struct {
	Phase   Phase // Running or Undoing
	Attempt int
	Chunk   int
	Items   []Item
	At      time.Time
}

// Decide implements the command.
func (c Record) Decide(s State) ([]Event, error) {
	stopping := s.Phase == Cancelling && c.Phase == Running
	if s.Phase != c.Phase && !stopping || s.Attempt != c.Attempt || !s.Todo[c.Chunk] {
		return nil, nil
	}
	counts := map[Outcome]int{}
	for _, i := range c.Items {
		counts[i.Outcome]++
	}
	last := len(s.Todo) == 1 && !stopping
	if c.Phase == Undoing {
		events := []Event{Reversed{Chunk: c.Chunk, Counts: counts, Items: c.Items, At: c.At}}
		if last {
			events = append(events, UndoCompleted{At: c.At})
		}
		return events, nil
	}
	events := []Event{Worked{Chunk: c.Chunk, Attempt: c.Attempt, Counts: counts, Items: c.Items, At: c.At}}
	if last {
		events = append(events, Completed{Attempt: c.Attempt, At: c.At})
	}
	return events, nil
}

// Stop ends a job that is being cancelled, once all that was under way has been
// recorded.
type Stop struct {
	At time.Time
}

// Decide implements the command.
func (c Stop) Decide(s State) ([]Event, error) {
	if s.Phase != Cancelling {
		return nil, nil
	}
	return []Event{Stopped(c)}, nil
}

// Cancel stops a job that runs. What was done stays done.
type Cancel struct {
	By     string
	Reason string
	At     time.Time
}

// Decide implements the command. A job that was cancelled already is no event.
func (c Cancel) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	switch s.Phase {
	case Selecting, Running:
		return []Event{CancelRequested{By: c.By, Reason: c.Reason, At: c.At}}, nil
	case Cancelling, Cancelled:
		return nil, nil
	case Finished:
		return nil, ErrFinished
	case Rejected:
		return nil, ErrRejected
	case Undoing, Reverted:
		return nil, ErrUndoing
	}
	return nil, ErrNotFound
}

// Retry tries again what failed, whatever happened to it since.
type Retry struct {
	By string
	At time.Time
}

// Decide implements the command.
func (c Retry) Decide(s State) ([]Event, error) {
	switch s.Phase {
	case Finished:
		if len(s.Failed) == 0 {
			return nil, ErrNothingFailed
		}
		return []Event{RetryRequested{Attempt: s.Attempt + 1, Items: total(s.Failed), By: c.By, At: c.At}}, nil
	case Selecting, Running, Cancelling:
		return nil, ErrRunning
	case Cancelled:
		return nil, ErrCancelled
	case Rejected:
		return nil, ErrRejected
	case Undoing, Reverted:
		return nil, ErrUndoing
	}
	return nil, ErrNotFound
}

// Undo takes back what the job did, but for what somebody has touched since.
type Undo struct {
	By string
	At time.Time
}

// Decide implements the command. A job that is undone already is no event.
func (c Undo) Decide(s State) ([]Event, error) {
	switch s.Phase {
	case Finished, Cancelled:
		if len(s.Done) == 0 {
			return nil, ErrNothingDone
		}
		return []Event{UndoRequested{Items: total(s.Done), By: c.By, At: c.At}}, nil
	case Selecting, Running, Cancelling:
		return nil, ErrRunning
	case Rejected:
		return nil, ErrRejected
	case Undoing, Reverted:
		return nil, nil
	}
	return nil, ErrNotFound
}

// total returns how many items some chunks have.
func total(chunks map[int]int) (n int) {
	for _, items := range chunks {
		n += items
	}
	return n
}
