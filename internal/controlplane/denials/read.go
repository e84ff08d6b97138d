package denials

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Limits on the streams of sidecars. Each thread of a sidecar has one.
const (
	// MaxStreams is how many streams are open at the same time.
	MaxStreams = 1024
	// MaxStreamsOfPod is how many streams of one pod are open at the same time.
	MaxStreamsOfPod = 8
)

// ErrManyStreams means that there are too many streams.
var ErrManyStreams = errors.New("too many sidecars or threads of this pod report denials to this replica; try again")

// Begin counts a stream of an instance until the returned function is called.
func (s *Store) Begin(instance entity.InstanceID) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams >= MaxStreams || s.instances[instance] >= MaxStreamsOfPod {
		return nil, ErrManyStreams
	}
	s.streams++
	s.instances[instance]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams--
		decrement(s.instances, instance)
	}, nil
}

// Read returns all denials, sorted, and the number of those that were not recorded because of a limit.
func (s *Store) Read() (list []Denial, dropped uint64) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeExpired(now)
	list = make([]Denial, 0, len(s.entries))
	for key, e := range s.entries {
		list = append(list, Denial{Key: key, Latest: e.latest, Count: e.count, AtLeast: e.atLeast, Since: e.since, Last: e.last, Rate: e.rate(now)})
	}
	slices.SortFunc(list, func(a, b Denial) int { return a.compare(b.Key) })
	return list, s.dropped
}

// Views calls a function with a view of the mesh, soon. After an error it may be called later.
type Views func(ctx context.Context, f func(*catalog.View)) error

// Named is Read with the names of Services, and without those of clients that do not exist. After an error the list is that of Read.
func (s *Store) Named(ctx context.Context, views Views) (list []Denial, dropped uint64, err error) {
	list, dropped = s.Read()
	if len(list) == 0 {
		return list, dropped, nil
	}
	var named []Denial
	if err := views(ctx, func(v *catalog.View) {
		copied := slices.Clone(list)
		nameServices(copied, v)
		dropInvented(copied, v)
		named = copied
	}); err != nil {
		return list, dropped, err
	}
	return named, dropped, nil
}

func (k Key) compare(other Key) int {
	rank := func(k Key) int {
		if k.Others {
			return 1
		}
		return 0
	}
	return cmp.Or(
		k.Client.Compare(other.Client), cmp.Compare(k.Workload.Kind, other.Workload.Kind), cmp.Compare(k.Workload.Name, other.Workload.Name),
		k.Server.Compare(other.Server), k.Service.Compare(other.Service), k.Address.Compare(other.Address),
		cmp.Compare(k.Reason, other.Reason), rank(k)-rank(other),
	)
}

// nameServices sets the Services of denials: at the client by the address, at the server only if the reported Service selects pods of the server.
func nameServices(list []Denial, view *catalog.View) {
	var addresses []netip.AddrPort
	for _, d := range list {
		if !d.AtServer() && !d.Others {
			addresses = append(addresses, d.Address)
		}
	}
	known := view.ServicesAt(addresses)
	for i := range list {
		d := &list[i]
		switch {
		case !d.AtServer():
			d.Service = known[d.Address].Service
		case !slices.Contains(view.ServicesOf(d.Server), d.Service):
			d.Service = entity.Name{}
		}
	}
}

// dropInvented counts clients that have no service account as others: nothing but the word of the server says that they called.
func dropInvented(list []Denial, view *catalog.View) {
	for i := range list {
		d := &list[i]
		if d.AtServer() && d.Client != (identity.ServiceAccount{}) && view.ServiceAccountUID(d.Client) == "" {
			d.Client, d.Others = identity.ServiceAccount{}, true
		}
	}
}

// Report returns the denial as the report API has it.
func (d Denial) Report() report.Denial {
	document := report.Denial{
		Address: d.Latest.String(), Side: report.AtClient, Reason: d.Reason,
		Count: d.Count, AtLeast: d.AtLeast, Rate: d.Rate, Since: d.Since.UTC(), Last: d.Last.UTC(),
	}
	if d.Client != (identity.ServiceAccount{}) {
		document.Client = d.Client.String()
	}
	if d.Workload != (inventory.Workload{}) {
		document.ClientWorkload = strings.ToLower(d.Workload.Kind) + "/" + d.Workload.Name
	}
	if d.Service != (entity.Name{}) {
		document.Service = d.Service.String()
	}
	switch {
	case d.AtServer():
		document.Side, document.Server = report.AtServer, d.Server.String()
		if d.Others {
			document.Client = report.OtherClients
		}
	case d.Others:
		document.Address = report.OtherAddresses
	}
	return document
}
