package loadstats

import "time"

// slots is the number of intervals in a series: a Window that ends at the oldest report that counts.
const slots = int((Window+expiry)/Interval) + 1

// series are the counts of one pair by interval. The ring has a fixed size.
type series struct {
	// since is the start of the first reported period, and last the time of the latest report.
	since, last time.Time
	slots       [slots]slot
}

// slot has the counts of one interval, numbered from 1970.
type slot struct {
	number int64
	Counts
}

func slotNumber(t time.Time) int64 { return t.UnixNano() / int64(Interval) }

// add adds counts of a period evenly to its intervals: a report of a minute is about each of its seconds.
func (s *series) add(c Counts, began, now time.Time) {
	s.last = now
	first, last := slotNumber(began), max(slotNumber(began), slotNumber(now.Add(-1)))
	added := Counts{}
	for number := max(first, last-int64(slots)+1); number <= last; number++ {
		until := c
		if end := time.Unix(0, (number+1)*int64(Interval)); end.Before(now) {
			until = c.share(end.Sub(began).Seconds() / now.Sub(began).Seconds())
		}
		at := &s.slots[number%int64(slots)]
		if at.number != number {
			*at = slot{number: number}
		}
		at.Counts = at.Plus(until.minus(added))
		added = until
	}
}

// over is the known part of the Window that ends at a time.
func (s *series) over(end time.Time) time.Duration {
	began := time.Unix(0, firstOf(end)*int64(Interval))
	if began.Before(s.since) {
		began = s.since
	}
	if end.After(s.last) {
		end = s.last
	}
	return max(end.Sub(began), 0)
}

// firstOf returns the first interval of the Window that ends at a time.
func firstOf(end time.Time) int64 { return slotNumber(end.Add(-1)) - int64(Window/Interval) + 1 }

// recent returns the intervals with reports of the Window that ends at a time, the oldest first.
func (s *series) recent(end time.Time) []Recent {
	var list []Recent
	for number := firstOf(end); number <= slotNumber(end.Add(-1)); number++ {
		if at := s.slots[number%int64(slots)]; at.number == number {
			list = append(list, Recent{time.Unix(0, number*int64(Interval)).UTC(), at.Counts})
		}
	}
	return list
}
