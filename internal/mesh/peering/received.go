package peering

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// PeerService returns the entry that a record of a Service describes. The receiver knows the name of the peer; nothing of it is in the record. A record with
// any invalid part is rejected as a whole, so that no part is misread.
func (r Record) PeerService(peer string) (*catalog.PeerService, error) {
	if r.Kind != KindService || r.Service == nil {
		return nil, fmt.Errorf("%w: it describes no Service", ErrInvalid)
	}
	if !isLabel(r.Namespace) || !isLabel(r.Name) {
		return nil, fmt.Errorf("%w: the name or namespace of the Service is no DNS label", ErrInvalid)
	}
	if n := len(r.Service.Ports); n == 0 || n > MaxPorts {
		return nil, fmt.Errorf("%w: the Service has %d ports, which must be 1 to %d", ErrInvalid, n, MaxPorts)
	}
	service := &catalog.PeerService{Peer: peer, Name: entity.Name{Namespace: r.Namespace, Name: r.Name}}
	for _, described := range r.Service.Ports {
		port, err := described.peerPort(peer)
		if err != nil {
			return nil, err
		}
		if last := len(service.Ports) - 1; last >= 0 && service.Ports[last].Number >= port.Number {
			return nil, fmt.Errorf("%w: its ports are not in ascending order", ErrInvalid)
		}
		service.Ports = append(service.Ports, port)
	}
	return service, nil
}

func (p Port) peerPort(peer string) (catalog.PeerPort, error) {
	if p.Number == 0 {
		return catalog.PeerPort{}, fmt.Errorf("%w: a port has the number 0", ErrInvalid)
	}
	for _, accounts := range [][]Account{p.Servers, p.Clients} {
		if err := checkAccounts(accounts); err != nil {
			return catalog.PeerPort{}, fmt.Errorf("%w of port %d", err, p.Number)
		}
	}
	servers := lists.Map(p.Servers, func(a Account) identity.PeerAccount {
		return identity.PeerAccount{Peer: peer, Namespace: a.Namespace, Name: a.Name}
	})
	clients := lists.Map(p.Clients, func(a Account) identity.ServiceAccount { return identity.ServiceAccount(a) })
	return catalog.PeerPort{
		Number: p.Number, Ready: p.Ready && len(servers) > 0, // without a server, no endpoint can prove to be one
		Servers: lists.UniqueFunc(servers, identity.PeerAccount.Compare),
		Clients: lists.UniqueFunc(clients, identity.ServiceAccount.Compare),
	}, nil
}

// checkAccounts rejects names from which no principal can be made. Names of service accounts may have dots, and those of namespaces may not.
func checkAccounts(accounts []Account) error {
	if len(accounts) > MaxAccounts {
		return fmt.Errorf("%w: there are %d accounts, the limit is %d", ErrInvalid, len(accounts), MaxAccounts)
	}
	for _, account := range accounts {
		if !isLabel(account.Namespace) || len(validation.IsDNS1123Subdomain(account.Name)) > 0 {
			return fmt.Errorf("%w: the name of an account is no DNS name", ErrInvalid)
		}
	}
	return nil
}

func isLabel(name string) bool { return len(validation.IsDNS1123Label(name)) == 0 }
