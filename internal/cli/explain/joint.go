package explain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Joint is the answer of two meshes, of which one exports a Service to the other.
type Joint struct {
	// Peer is the name of the peer here.
	Peer string `json:"peer"`
	// Context is the kubeconfig context of the cluster of the peer, and Mesh the name of its mesh there.
	Context string `json:"context"`
	Mesh    string `json:"mesh"`
	// Name is the name that the peer gave this mesh; empty if it does not know it.
	Name string `json:"name,omitempty"`
	// Allowed is true if both sides allow the request.
	Allowed bool `json:"allowed"`
	// Here is the answer of this cluster.
	Here *Answer `json:"here"`
	// There is the answer of the cluster of the peer; nil if Missing keeps it from having one.
	There *Answer `json:"there,omitempty"`
	// Missing is what the cluster of the peer lacks to have an answer.
	Missing []diagnosis.Finding `json:"missing,omitempty"`
}

// Other is the mesh of a peer, read from its cluster.
type Other struct {
	Mesh
	// Context is the kubeconfig context of its cluster.
	Context string
	// KnownAs is the name that it gave this mesh; empty if it has no MeshPeer for it.
	KnownAs string
}

// PeerOf returns the peer that takes part in the call of a question: that of the source, or of the import behind the destination.
func (m Mesh) PeerOf(ctx context.Context, q Question) (*catalog.Peer, error) {
	v := m.Catalog.View()
	name := q.From.Peer
	if name == "" {
		to, err := m.resolve(ctx, v, q.To, false)
		if err != nil {
			return nil, err
		}
		if to.service == nil || v.Import(to.service.Name) == nil {
			return nil, fmt.Errorf("%s is not imported from a peer, so the call stays in this cluster: omit --peer-context", to.what)
		}
		name = v.Import(to.service.Name).Peer
	}
	if peer := v.Peer(name); peer != nil {
		return peer, nil
	}
	return nil, errors.New(diagnosis.Messages(m.missingPeer(v, name)) + ": run the command without --peer-context to see what to do")
}

// Join asks both meshes.
func Join(ctx context.Context, here Mesh, there Other, peer string, q Question) (*Joint, error) {
	own, err := Evaluate(ctx, here, q)
	if err != nil {
		return nil, err
	}
	j := &Joint{Peer: peer, Context: there.Context, Mesh: there.Name, Name: there.KnownAs, Here: own}
	if there.KnownAs == "" {
		j.Missing = []diagnosis.Finding{diagnosis.Fail("apply there the output of `osm peer show NAME` of this cluster", "mesh %s has no MeshPeer for this mesh that is accepted", there.Name)}
		return j, nil
	}
	ask := there.askExporter
	if q.From.Peer != "" {
		ask = there.askImporter
	}
	j.There, j.Missing = ask(ctx, own, q)
	j.Allowed = own.Allowed && j.There != nil && j.There.Allowed
	return j, nil
}

// askExporter asks the mesh that exports the Service of a question, whose source is in this cluster.
func (o Other) askExporter(ctx context.Context, own *Answer, q Question) (*Answer, []diagnosis.Finding) {
	services := own.services()
	if len(own.Parties) == 0 || len(services) == 0 {
		return nil, []diagnosis.Finding{diagnosis.Fail("see what is missing in this cluster", "the question has no source or no port here, so the peer cannot be asked")}
	}
	source := own.Parties[0]
	q.From = Reference{Peer: o.KnownAs, Namespace: source.Namespace, Kind: KindServiceAccount, Name: source.Name}
	return o.ask(ctx, q, services[0])
}

// askImporter asks the mesh whose account calls the Service of a question, which this cluster exports.
func (o Other) askImporter(ctx context.Context, own *Answer, q Question) (*Answer, []diagnosis.Finding) {
	q.From.Peer = ""
	services := own.services()
	if len(services) == 0 {
		return nil, []diagnosis.Finding{diagnosis.Fail("see what is missing in this cluster", "no Service of this cluster leads to the destination")}
	}
	imports := func(service entity.Name) bool {
		consent := o.Catalog.View().Import(service)
		return consent != nil && consent.Peer == o.KnownAs
	}
	if i := slices.IndexFunc(services, imports); i >= 0 {
		return o.ask(ctx, q, services[i])
	}
	return nil, []diagnosis.Finding{diagnosis.Fail(fmt.Sprintf("apply there the output of `osm peer import %s --from %s --port PORT`", services[0], o.KnownAs),
		"mesh %s does not import Service %s from this mesh", o.Name, services[0])}
}

// ask asks about a Service. That the mesh lacks what the question names is an answer.
func (o Other) ask(ctx context.Context, q Question, service entity.Name) (*Answer, []diagnosis.Finding) {
	q.To = Reference{Namespace: service.Namespace, Kind: KindService, Name: service.Name, Port: q.To.Port, text: service.String()}
	q.Outside = nil
	answer, err := Evaluate(ctx, o.Mesh, q)
	if err != nil {
		return nil, []diagnosis.Finding{diagnosis.Fail("create it there, or correct the question", "%v", err)}
	}
	return answer, nil
}

// services returns the Services of an answer, each once.
func (a *Answer) services() []entity.Name {
	names := lists.Unique(lists.Map(a.Candidates, func(c Candidate) string { return c.Service }))
	return lists.Map(names, nameOf)
}

// Unknown reports whether the answer is unknown: nobody denies the request, and this cluster does not know what the peer offers.
func (j *Joint) Unknown() bool {
	return !j.Allowed && len(j.Missing) == 0 && j.There != nil && (j.Here.Unknown || j.Here.Allowed) && (j.There.Unknown || j.There.Allowed)
}

// Headline says which side denies the request.
func (j *Joint) Headline() string {
	deniedHere, deniedThere := !j.Here.Allowed && !j.Here.Unknown, j.There == nil || !j.There.Allowed && !j.There.Unknown
	switch {
	case j.Allowed:
		return "ALLOWED by both clusters"
	case deniedHere && deniedThere:
		return "DENIED by both clusters"
	case deniedHere:
		return "DENIED by this cluster"
	case deniedThere:
		return "DENIED by the cluster of the peer " + j.Peer
	}
	return "UNKNOWN: it depends on what peers offer"
}

// Print writes both answers as text.
func (j *Joint) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\nIn this cluster:\n\n", j.Headline())
	if err := j.Here.Print(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nIn the cluster of the peer %s (context %s, mesh %s%s):\n\n", j.Peer, j.Context, j.Mesh, j.knownAs())
	if j.There != nil {
		return j.There.Print(w)
	}
	fmt.Fprint(w, "DENIED\n")
	printMissing(w, j.Missing)
	return nil
}

func (j *Joint) knownAs() string {
	if j.Name == "" {
		return ""
	}
	return ", which knows this mesh as " + j.Name
}
