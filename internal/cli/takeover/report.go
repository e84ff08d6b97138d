package takeover

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

// Report is what a takeover would do.
type Report struct {
	// From is the Open Service Mesh.
	From Source `json:"from"`
	// Mesh is the object that begins the takeover.
	Mesh *v1alpha1.Mesh `json:"mesh"`
	// Blocks are what must change before the takeover can begin.
	Blocks []diagnosis.Finding `json:"blocks"`
	// Differences are what behaves differently afterwards, and what could not be read.
	Differences []diagnosis.Finding `json:"differences"`
	// Objects have the effect of each kind of object.
	Objects []Effect `json:"objects"`
	// Workloads are those with sidecars of the Open Service Mesh.
	Workloads Workloads `json:"workloads"`
	// BridgeReasons are why "osm migrate run" should have the flag --bridge.
	BridgeReasons []string `json:"bridgeReasons"`
	// Removal is the command that removes the Open Service Mesh.
	Removal string `json:"removal"`
}

// Source describes an Open Service Mesh.
type Source struct {
	Namespace   string `json:"namespace"`
	Mesh        string `json:"mesh"`
	Version     string `json:"version"`
	TrustDomain string `json:"trustDomain"`
	Provider    string `json:"provider"`
}

// Effect is what becomes of the objects of one kind.
type Effect struct {
	Kind string `json:"kind"`
	// Objects names them, or their number.
	Objects string `json:"objects"`
	Effect  string `json:"fate"`
}

// Workloads are the workloads with sidecars of an Open Service Mesh.
type Workloads struct {
	// Pods is the number of pods with such a sidecar, Restarted of the workloads that the operator restarts.
	Pods      int `json:"pods"`
	Restarted int `json:"restarted"`
	// Yours names what the operator does not restart, with the reason.
	Yours []string `json:"yours"`
	// Duration estimates the restarts with the defaults of spec.upgrade.dataPlane.
	Duration time.Duration `json:"durationNanoseconds"`
}

// Blocked reports whether the takeover cannot begin.
func (r *Report) Blocked() bool { return len(r.Blocks) > 0 }

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	p := &printer{w: w}
	p.line("Open Service Mesh %s, mesh %s, in namespace %s (certificates: %s, trust domain %s)", r.From.Version, r.From.Mesh, r.From.Namespace, r.From.Provider, r.From.TrustDomain)
	p.title("What is in the way")
	p.findings(r.Blocks, "nothing")
	p.title("Steps")
	p.steps(r)
	p.title("Objects")
	p.table(r.Objects)
	p.title("What the operator does not restart")
	p.list(r.Workloads.Yours, "nothing")
	p.title("Reasons to use `osm migrate run --bridge 72h`, with which the Mesh also serves the sidecars of the Open Service Mesh")
	p.list(r.BridgeReasons, "none: callers restart before what they call")
	p.title("What differs afterwards")
	p.findings(r.Differences, "nothing that was found; docs/compatibility.md has the complete list")
	return p.err
}

// printer keeps the first error of a writer.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) title(text string) { p.line("\n%s", text) }

func (p *printer) list(lines []string, none string) {
	if len(lines) == 0 {
		lines = []string{none}
	}
	for _, line := range lines {
		p.line("  %s", line)
	}
}

func (p *printer) findings(list []diagnosis.Finding, none string) {
	for _, f := range list {
		p.line("  %s %s", f.Severity.Tag(), f.Text())
		if f.Remedy != "" {
			p.line("    -> %s", f.Remedy)
		}
	}
	if len(list) == 0 {
		p.line("  %s", none)
	}
}

func (p *printer) steps(r *Report) {
	namespace := r.Mesh.Spec.Namespace
	p.line("  Prepared    the control plane of Mesh %s runs in namespace %s, with the authority and the settings of the Open Service Mesh, and serves nobody", r.Mesh.Name, *namespace)
	p.line("  Injecting   its webhooks answer for new pods and for policies; no pod restarts")
	p.line("  Restarting  %s in %s restart in waves, in about %s", output.Count(r.Workloads.Restarted, "workload"), output.Count(r.Workloads.Pods, "pod"),
		r.Workloads.Duration.Round(time.Minute))
	p.line("  (you)       %s", r.Removal)
	p.line("  Complete    what the Open Service Mesh has left is cleaned up")
	p.line("Each step but the last two can be taken back with `osm migrate rollback`.")
}

func (p *printer) table(list []Effect) {
	if p.err != nil {
		return
	}
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	for _, f := range list {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Kind, f.Objects, f.Effect)
	}
	p.err = t.Flush()
}
