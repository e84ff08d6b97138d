package loadstats

import "time"

// slots is the number of intervals in a series.
const slots = int(Window / Interval)

// series are the counts of one pair by interval.
type series struct {
	// since is the start of the first reported period, and last the time of the latest report.
	since, last time.Time
	slots       [slots]slot
}

// slot has the counts that were reported within one interval, numbered from 1970.
type slot struct {
	number int64
	Counts
}

func slotNumber(t time.Time) int64 { return t.UnixNano() / int64(Interval) }

func (s *series) add(c Counts, now time.Time) {
	number := slotNumber(now)
	at := &s.slots[number%int64(slots)]
	if at.number != number {
		*at = slot{number: number}
	}
	at.Counts = at.Plus(c)
	s.last = now
}

// recent returns the intervals of the last Window that have reports, the oldest first.
func (s *series) recent(now time.Time) []Recent {
	newest := slotNumber(now)
	var list []Recent
	for number := newest - int64(slots) + 1; number <= newest; number++ {
		if at := s.slots[number%int64(slots)]; at.number == number {
			list = append(list, Recent{time.Unix(0, number*int64(Interval)).UTC(), at.Counts})
		}
	}
	return list
}
