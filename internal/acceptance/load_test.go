package acceptance

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// underLoad has writers write without a pause while something happens, and for a while
// before and after it. write is told the number of the write and says whether it was
// acknowledged; during may wait until some more were.
func (s *server) underLoad(writers, enough int, next *atomic.Int64, write func(n int64) bool, during func(more func())) {
	s.t.Helper()
	var done atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if write(next.Add(1)) {
					done.Add(1)
				}
			}
		})
	}
	more := func() {
		from := done.Load()
		s.until(fmt.Sprintf("%d more writes are acknowledged", enough), func() bool { return done.Load() >= from+int64(enough) })
	}
	more()
	during(more)
	more()
	close(stop)
	wg.Wait()
}
