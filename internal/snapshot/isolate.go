package snapshot

import (
	"slices"
	"strings"
	"time"
)

// A client that rejects a response tells why in words, and not always of which resource it speaks; of some types it also
// drops what came after the one that it could not use. So the resources of a rejected response are sent again in ever smaller
// parts, until each part was accepted or holds one resource: that one is refused. Words alone never accuse a resource, because
// what they quote may have been written by anybody.

// Refusal is a resource that a client rejected when it was sent alone.
type Refusal struct {
	Type Type
	Name string
	// Text is the client's own.
	Text string
	// hash is that of the content.
	hash uint64
}

// freeStrikes is how many rejections in a row are answered at once; afterwards a client that rejects everything is sent the
// next part once a strikePause.
const (
	freeStrikes = 32
	strikePause = time.Second
)

// suspicion is what a client has rejected and what may be to blame for it.
type suspicion struct {
	// flying are the resources of the response in flight; shared with it.
	flying []Resource
	// refused are the names whose version in held the client does not use.
	refused map[string]string
	// parts are names to be sent again, each part alone; the last one comes first.
	parts [][]string
	// text is the client's latest about them.
	text string
	// strikes counts rejections since a response was accepted, and pausedUntil is when the next part may go out.
	strikes     int
	pausedUntil time.Time
}

// accepted takes the acknowledgement of the response in flight.
func (s *suspicion) accepted() {
	for _, res := range s.flying {
		delete(s.refused, res.name)
	}
	s.flying, s.strikes, s.pausedUntil = nil, 0, time.Time{}
}

// reject takes the rejection of the response in flight, and returns the resource that is certainly meant.
func (s *suspicion) reject(t Type, text string, now time.Time) *Refusal {
	flying := s.flying
	s.flying, s.text = nil, text
	if s.strikes++; s.strikes > freeStrikes {
		s.pausedUntil = now.Add(strikePause)
	}
	switch len(flying) {
	case 0:
		return nil
	case 1:
		res := flying[0]
		if s.refused == nil {
			s.refused = map[string]string{}
		}
		s.refused[res.name] = text
		return &Refusal{Type: t, Name: res.name, Text: text, hash: res.hash}
	}
	s.suspect(t, flying, text)
	return nil
}

// suspect divides rejected resources. Of clusters and listeners the client names those that it rejected and keeps the others.
func (s *suspicion) suspect(t Type, flying []Resource, text string) {
	var named, all []string
	for _, res := range flying {
		all = append(all, res.name)
		if t.wildcard() && strings.Contains(text, res.name) {
			named = append(named, res.name)
		}
	}
	for _, name := range slices.Backward(named) {
		s.parts = append(s.parts, []string{name})
	}
	if len(named) == 0 {
		half := len(all) / 2
		s.parts = append(s.parts, all[half:], all[:half])
	}
}

// forget is for a name that the client no longer holds or wants.
func (s *suspicion) forget(name string) { delete(s.refused, name) }

// acquit takes resources out of the parts: they are sent in another response now, and judged by that one. A part would otherwise
// bring a version again that was rejected alone meanwhile.
func (s *suspicion) acquit(sent []Resource) {
	for i, part := range s.parts {
		s.parts[i] = slices.DeleteFunc(part, func(name string) bool {
			return slices.ContainsFunc(sent, func(r Resource) bool { return r.name == name })
		})
	}
}

// clean says whether the client uses everything that it was sent.
func (s *suspicion) clean() bool { return len(s.refused) == 0 && len(s.parts) == 0 }

// standing is the client's text about what it does not use now; empty when it uses everything.
func (s *suspicion) standing() string {
	if len(s.parts) > 0 {
		return s.text
	}
	first := ""
	for name := range s.refused {
		if first == "" || name < first {
			first = name
		}
	}
	return s.refused[first]
}

// isolate is the next part of what was rejected, or nil when there is none or it must wait.
func (q *sequencer) isolate(t Type, o offer, now time.Time) *Response {
	st := &q.types[t]
	if now.Before(st.pausedUntil) {
		return nil
	}
	for len(st.parts) > 0 {
		part := st.parts[len(st.parts)-1]
		st.parts = st.parts[:len(st.parts)-1]
		r := &Response{Type: t}
		for _, name := range part {
			if res, ok := q.unchanged(t, name, o); ok {
				r.Resources = append(r.Resources, res)
			}
		}
		if len(r.Resources) > 0 {
			q.resend(r, now)
			return r
		}
	}
	return nil
}

// unchanged is a resource that is still offered as it was sent. What has changed since is sent as a change.
func (q *sequencer) unchanged(t Type, name string, o offer) (Resource, bool) {
	have, held := q.types[t].held[name]
	c, offered := o.content(t, name)
	if !held || !offered {
		return Resource{}, false
	}
	res := Resource{content: c, version: c.hash}
	if t == Endpoints {
		res.version = combine(c.hash, q.types[Clusters].held[name])
	}
	return res, have == res.version
}

// resend puts resources in flight that the client was sent before.
func (q *sequencer) resend(r *Response, now time.Time) {
	if r.Type == Clusters {
		for _, res := range r.Resources {
			q.clusterSent(res.name, res, now)
			if _, subscribed := q.types[Endpoints].held[res.name]; subscribed {
				q.types[Endpoints].held[res.name] = foreign
			}
		}
	}
	q.send(r, now)
}
