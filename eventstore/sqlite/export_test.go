package sqlite

// Pragma sets one on the writer's connection.
func Pragma(p string) Option { return func(s *Store) { s.pragmas = append(s.pragmas, p) } }

// Queued returns how many appends wait for the next transaction.
func (s *Store) Queued() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.waiting)
}
