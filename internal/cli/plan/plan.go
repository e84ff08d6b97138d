package plan

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/peeroffers"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// Subject is the mesh to edit.
type Subject struct {
	// Mesh is the name of the mesh, Namespace the namespace of its control plane and MeshConfig.
	Mesh, Namespace string
	// TrustDomain and Root (PEM) are part of the sidecar configuration. Without Root, only the byte counts are lower.
	TrustDomain string
	Root        []byte
	Scheme      *runtime.Scheme
	// Objects are the objects of the mesh before the edit.
	Objects []*unstructured.Unstructured
	// Offers returns what peers offer. It is called if the mesh imports Services of peers, before or after the edit. It may be nil if there are no peers.
	Offers func(peers []*catalog.Peer) peeroffers.Offers
}

// Plan is the effect of an edit.
type Plan struct {
	// Objects lists the changed objects.
	Objects []Object `json:"objects"`
	compare.Changes
}

// Rejected returns true if the mesh would reject an object.
func (p *Plan) Rejected() bool {
	return slices.ContainsFunc(p.Objects, func(o Object) bool { return len(o.Rejections) > 0 })
}

// Make computes the effect of an edit.
func Make(s Subject, e *Edit) (*Plan, error) {
	before, err := load.FromObjects(s.Mesh, s.Scheme, s.Objects)
	if err != nil {
		return nil, err
	}
	unknown := s.addOffers(before, e)
	after := before.Clone()
	touched, err := after.Edit(s.Mesh, s.Scheme, e.Put, e.Remove)
	if err != nil {
		return nil, err
	}
	subject := compare.Subject{TrustDomain: s.TrustDomain, Root: s.Root, Workloads: workloadsOf(slices.Concat(s.Objects, e.Put))}
	changes, err := compare.Meshes(subject, sideOf(before), sideOf(after), touched)
	if err != nil {
		return nil, err
	}
	changes.Unavailable = slices.Concat(e.Unknown, unknown, unknownOffers(before, after), changes.Unavailable)
	return &Plan{Objects: e.withAdmission(), Changes: *changes}, nil
}

func sideOf(l *load.Loaded) compare.Mesh {
	return compare.Mesh{Catalog: l.Catalog, Entries: l.Entries}
}

// withAdmission returns the object changes with the admission result.
func (e *Edit) withAdmission() []Object {
	put := map[string]*unstructured.Unstructured{}
	for _, object := range e.Put {
		put[nameOf(object).String()] = object
	}
	list := make([]Object, 0, len(e.Objects))
	for _, o := range e.Objects {
		if object := put[o.String()]; object != nil && o.Action != Removed {
			o.Rejections, o.Warnings = validate.Split(validate.Object(object))
		}
		list = append(list, o)
	}
	return list
}

// workloadsOf maps pods to their workloads. Later objects take precedence.
func workloadsOf(objects []*unstructured.Unstructured) map[entity.Name]string {
	all := map[entity.Name]string{}
	for _, object := range objects {
		if object.GetKind() == "Pod" {
			all[ingest.NameOf(object)] = manifests.OwnerOf(object).String()
		}
	}
	return all
}

// marks are the diff markers of actions.
var marks = map[Action]string{Added: "+", Changed: "~", Removed: "-"}

// Print writes a plan as text.
func (p *Plan) Print(w io.Writer, form *output.Flag) error {
	p.printObjects(w)
	if len(p.Proxies) > 0 {
		fmt.Fprintf(w, "\n%d of %d sidecars would get a new configuration, %s in total:\n\n", p.Sidecars, p.AllSidecars, bytesText(p.Bytes))
		if err := form.Print(w, output.Result{Table: p.proxyTable()}); err != nil {
			return err
		}
	} else if len(p.Objects) > 0 {
		fmt.Fprint(w, "\nNo sidecar would get a new configuration.\n")
	}
	for _, part := range []struct {
		title  string
		denies bool
	}{{"newly denied", true}, {"newly allowed", false}} {
		flows := p.flows(part.denies)
		if len(flows) == 0 {
			if len(p.Objects) > 0 {
				fmt.Fprintf(w, "\nNo flow would be %s.\n", part.title)
			}
			continue
		}
		noun := "flows"
		if len(flows) == 1 {
			noun = "flow"
		}
		fmt.Fprintf(w, "\n%d %s would be %s:\n\n", len(flows), noun, part.title)
		for _, f := range flows {
			printFlow(w, f, form.Wide())
		}
	}
	p.printEncryptions(w)
	p.printProtocols(w)
	if len(p.Unavailable) > 0 {
		fmt.Fprint(w, "\nUnavailable:\n\n")
		for _, sentence := range p.Unavailable {
			fmt.Fprintf(w, "  %s\n", sentence)
		}
	}
	return nil
}

func (p *Plan) printEncryptions(w io.Writer) {
	if len(p.Encryptions) == 0 {
		return
	}
	fmt.Fprint(w, "\nThe encryption of requests outside the mesh would change:\n\n")
	for _, e := range p.Encryptions {
		text := "encrypted by BackendTLSPolicy " + e.After
		if e.After == "" {
			text = "in plaintext"
		}
		fmt.Fprintf(w, "  %s -> %s  %s\n", e.From, e.To, text)
		if e.Before != "" {
			fmt.Fprintf(w, "    previously by: BackendTLSPolicy %s\n", e.Before)
		}
	}
}

func (p *Plan) printProtocols(w io.Writer) {
	if len(p.Protocols) == 0 {
		return
	}
	fmt.Fprint(w, "\nPorts whose clients and servers would use different protocols:\n\n")
	for _, c := range p.Protocols {
		fmt.Fprintf(w, "  %s  clients use %s, and the sidecars of servers %s, as Service %s declares for the same container port\n", c.Port, c.Client, c.Server, c.By)
	}
}

func (p *Plan) printObjects(w io.Writer) {
	if len(p.Objects) == 0 {
		fmt.Fprintln(w, "No object of the mesh would change.")
		return
	}
	for _, o := range p.Objects {
		fmt.Fprintf(w, "%s %s\n", marks[o.Action], o)
		for _, reason := range o.Rejections {
			fmt.Fprintf(w, "    rejected: %s\n", reason)
		}
		for _, warning := range o.Warnings {
			fmt.Fprintf(w, "    warning: %s\n", warning)
		}
	}
}

func (p *Plan) proxyTable() output.Table {
	table := output.Table{Columns: output.Columns("WORKLOAD", "SIDECARS", "STATE", "ADDED", "CHANGED", "REMOVED", "BYTES EACH")}
	for _, one := range p.Proxies {
		table.Rows = append(table.Rows, []string{
			one.Workload, strconv.Itoa(one.Sidecars), string(one.State),
			compare.CountsText(one.Resources.Added), compare.CountsText(one.Resources.Changed),
			compare.CountsText(one.Resources.Removed), strconv.Itoa(one.Bytes),
		})
	}
	return table
}

func (p *Plan) flows(denies bool) []compare.Flow {
	return slices.DeleteFunc(slices.Clone(p.Flows), func(f compare.Flow) bool { return f.Denies() != denies })
}

func printFlow(w io.Writer, f compare.Flow, wide bool) {
	from := f.From
	if f.From == compare.AnySource {
		from = "everybody"
	}
	fmt.Fprintf(w, "  %s -> %s  %s\n", from, f.To, f.Request)
	if f.Before == compare.Partly || f.After == compare.Partly {
		fmt.Fprintf(w, "    %s, previously %s\n", f.After, f.Before)
	}
	if len(f.By) > 0 {
		when := "by"
		if f.Denies() {
			when = "previously by"
		}
		fmt.Fprintf(w, "    %s: %s\n", when, strings.Join(f.By, ", "))
	}
	if f.Seen != "" {
		fmt.Fprintf(w, "    after: %s\n", f.Seen)
	}
	if f.Unused {
		fmt.Fprintf(w, "    no pod of the mesh uses service account %s\n", f.From)
	}
	if wide && f.Example != "" {
		fmt.Fprintf(w, "    for example: %s\n", f.Example)
	}
}

// bytesText formats a number of bytes.
func bytesText(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// Names returns the changed workloads, for -o name.
func (p *Plan) Names() []string {
	var all []string
	for _, one := range p.Proxies {
		all = append(all, strings.Replace(one.Workload, " ", "/", 1))
	}
	return all
}
