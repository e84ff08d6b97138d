package denials

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// port returns a destination of its own.
func port(i int) netip.AddrPort { return netip.AddrPortFrom(webPort.Addr(), uint16(i)) }

// TestRateForgetsEachInterval denies in two intervals, and reads while both, one and none of them are in the last minute.
func TestRateForgetsEachInterval(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	check := func(step string, want float64) {
		t.Helper()
		if list, _ := s.Read(); len(list) != 1 || list[0].Rate != want {
			t.Errorf("%s: %+v, want %g per second", step, list, want)
		}
	}
	deny := func(n int) { s.Record(thief, events(n, Event{Address: webPort, Reason: NoPolicy}), false) }
	deny(60)
	c.wait(50 * time.Second)
	deny(120)
	c.wait(5 * time.Second)
	check("both within a minute", 180.0/55)
	c.wait(5 * time.Second)
	check("the first a minute ago", 2)
	deny(60)
	check("again in the same place of the ring", 3)
	c.wait(time.Minute)
	check("a minute later", 0)
}

// TestOnlyWhatIsOldExpires has old and new denials of one account.
func TestOnlyWhatIsOldExpires(t *testing.T) {
	const each = 20
	c := newClock()
	s := newTestStore(c)
	record := func(first int) {
		for i := range each {
			s.Record(thief, []Event{{Address: port(first + i), Reason: NoPolicy}}, false)
		}
	}
	record(0)
	c.wait(time.Minute)
	record(each)
	c.wait(Expiry - time.Minute - time.Nanosecond)
	if list, _ := s.Read(); len(list) != 2*each {
		t.Errorf("%d denials before an hour, want %d", len(list), 2*each)
	}
	c.wait(time.Nanosecond)
	list, _ := s.Read()
	if len(list) != each || s.accounts[thief.Account] != each || s.namespaces["shop"] != each {
		t.Errorf("%d denials after an hour, want %d; counted %v %v", len(list), each, s.accounts, s.namespaces)
	}
	for _, d := range list {
		if int(d.Address.Port()) < each {
			t.Errorf("%s is kept", d.Address)
		}
	}
}

// TestExpiredMakeRoom fills a namespace. What has expired makes room for others, but is searched for once in an interval.
func TestExpiredMakeRoom(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	for i := range maxOfNamespace {
		s.Record(Reporter{Account: SA("evil", fmt.Sprint(i))}, []Event{{Address: webPort, Reason: NoPolicy}}, false)
	}
	late := 0
	try := func(step string, want uint64) {
		t.Helper()
		late++
		s.Record(Reporter{Account: SA("evil", fmt.Sprint("late", late))}, []Event{{Address: webPort, Reason: NoPolicy}}, false)
		if s.dropped != want {
			t.Errorf("%s: %d dropped, want %d", step, s.dropped, want)
		}
	}
	c.wait(Expiry - time.Second)
	try("nothing has expired", 1)
	c.wait(interval - time.Nanosecond)
	try("all have expired, but they were searched a moment ago", 2)
	c.wait(time.Nanosecond)
	try("an interval later", 2)
	if len(s.entries) != 1 {
		t.Errorf("%d entries, want the new one", len(s.entries))
	}
}

// TestOthersShareAnEntry exceeds the limit of an account by one, at the client and at the server.
func TestOthersShareAnEntry(t *testing.T) {
	for name, test := range map[string]struct {
		reporter Reporter
		event    func(i int) Event
		want     Key
	}{
		"destinations of a client": {
			thief, func(i int) Event { return Event{Address: port(i), Reason: NoPolicy} },
			Key{Client: thief.Account, Workload: thief.Workload, Reason: NoPolicy, Others: true},
		},
		"clients of a server": {
			web, func(i int) Event {
				return Event{Address: atServer, Client: identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprint(i)}, Reason: NoPolicy}
			},
			Key{Server: web.Account, Reason: NoPolicy, Others: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStore(newClock())
			for i := range maxOfAccount {
				s.Record(test.reporter, []Event{test.event(i)}, false)
			}
			if s.entries[test.want] != nil {
				t.Error("the limit is not reached, and others are summed")
			}
			for i := range 2 {
				s.Record(test.reporter, []Event{test.event(maxOfAccount + i)}, false)
			}
			if e := s.entries[test.want]; e == nil || e.count != 2 || len(s.entries) != maxOfAccount+1 {
				t.Errorf("%+v of %d entries, want two denials of others", e, len(s.entries))
			}
		})
	}
}
