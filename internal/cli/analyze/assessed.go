package analyze

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/assess"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// codesOfConflicts are the codes of policies that others decide instead of.
var codesOfConflicts = map[entity.Kind]string{
	entity.KindTrafficSplit: codeSplitConflict, retry.Kind: codeRetryConflict,
	upstream.Kind: codeSettingConflict, upstream.Backpressure: codeSettingConflict,
	ingressbackend.Kind: codeIngressConflict, entity.KindEgress: codeEgressConflict, telemetry.Kind: codeLogConflict,
	extauthz.Kind: codeAuthConflict,
}

// codesOfSwitches are the codes of policies that a switch of the MeshConfig disables.
var codesOfSwitches = map[entity.Kind]string{
	retry.Kind: codeRetriesOff, ingressbackend.Kind: codeIngressOff, entity.KindEgress: codeEgressOff,
}

// codesOfCauses are the codes of all other findings of package assess. Without one, the reason decides.
var codesOfCauses = map[finding.Cause]string{
	finding.Replaced: codeSplitReplaced, finding.NotFollowed: codeNestedSplit, finding.OutsideGateway: codeOutsideGateway,
	finding.NoUsableBackend: codeNoUsableBackend,
	finding.TooManyServices: codeTooManyServices, finding.NoRouteOfLimit: codeNoRouteOfLimit,
	finding.NoDestination: codeNoDestination, finding.NoSource: codeNoSource, finding.NoRoute: codeNoRoute, finding.NoMatch: codeNoMatch,
	finding.UnknownPort: codeUnknownPort, finding.NoPeer: codeNoPeer, finding.NotExported: codeNotExported,
	finding.NoRoot: codeNoRoot, finding.NoBackend: codeNoBackend, finding.NoBackendPort: codeBackendPort,
	finding.NoRetryTarget: codeNoRetryTarget, finding.NoHost: codeNoHost,
	finding.NoIngressPort: codeNoIngressPort, finding.NoGateway: codeNoGateway, finding.NoSetting: codeNoSetting, finding.NoExtension: codeNoExtension,
	finding.NoEgressGateway: codeNoEgressGateway, finding.IdleEgressGateway: codeNoEgressGateway,
}

// assessed reports what the mesh finds out about its policies. Their status says the same.
func (a *analysis) assessed() {
	mesh := assess.Mesh{View: a.view, Namespace: a.mesh.Namespace}
	for _, policy := range assessedEntries(a.mesh.Loaded) {
		if !mesh.Uses(policy) {
			continue
		}
		for _, f := range mesh.Policy(policy) {
			if a.isKnown(policy, f) {
				a.reportFinding(policy.Ref(), f)
			}
		}
	}
}

// assessedEntries returns the policies that refer to other objects, sorted.
func assessedEntries(l *load.Loaded) []catalog.Entry {
	return load.Sorted(l, assess.HasReferences)
}

func (a *analysis) reportFinding(policy entity.Ref, f finding.Finding) {
	s := a.subject(policy.Kind, policy.Name)
	code := codesOfCauses[f.Cause]
	switch f.Cause {
	case finding.Conflict:
		code = codesOfConflicts[policy.Kind]
	case finding.Disabled:
		code = codesOfSwitches[policy.Kind]
	}
	if code == "" {
		a.reportProblem(s, f.Problem)
		return
	}
	severity := a.codes[code].Severity
	if f.Warning && severity == diagnosis.Error {
		severity = diagnosis.Warning
	}
	if f.Cause == finding.UnknownPort {
		severity = diagnosis.Error // the rule grants nothing
	}
	a.report(code, severity, s, f.StatusMessage())
}

// isKnown reports whether a finding about a policy is certain. Files may lack what the mesh has.
func (a *analysis) isKnown(policy catalog.Entry, f finding.Finding) bool {
	if !a.mesh.Partial {
		return true
	}
	switch f.Cause {
	case finding.NoEgressGateway, finding.IdleEgressGateway, finding.NoUsableBackend, finding.TooManyServices, finding.ProtectedHost:
		return false
	case finding.Disabled:
		return a.configured()
	case finding.NoExtension:
		return a.configured() && (f.Missing == entity.Ref{} || a.missing(f.Missing.Kind, f.Missing.Name))
	case finding.NotExported:
		return a.hasExports()
	case finding.NoRouteOfLimit:
		return a.has(entity.KindHTTPRouteGroup, policy.Ref().Name.Namespace)
	}
	return f.Missing == (entity.Ref{}) || a.missing(f.Missing.Kind, f.Missing.Name)
}

// hasExports returns true if the mesh has a ServiceExport.
func (a *analysis) hasExports() bool {
	for ref := range a.mesh.Loaded.Names {
		if ref.Kind == entity.KindServiceExport {
			return true
		}
	}
	return false
}

// configured returns true if the mesh has a MeshConfig.
func (a *analysis) configured() bool {
	_, found := a.mesh.Loaded.Entries[entity.Ref{Kind: entity.KindSettings}]
	return found
}

// Conflict is a policy without effect, or with less effect, because another policy decides.
type Conflict struct {
	// Policy is the overridden policy, Winner the one that decides.
	Policy, Winner entity.Ref
	// About describes what it decides, and the remedy.
	About string
}

// Conflicts returns the conflicts among the policies of a mesh whose control plane runs in namespace, sorted by the overridden policy.
func Conflicts(l *load.Loaded, namespace string) []Conflict {
	mesh := assess.Mesh{View: l.Catalog.View(), Namespace: namespace}
	var list []Conflict
	for _, policy := range assessedEntries(l) {
		for _, f := range mesh.Policy(policy) {
			if f.Reason == finding.ReasonConflicted {
				list = append(list, Conflict{Policy: policy.Ref(), Winner: f.Winner, About: f.StatusMessage()})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(a.Policy.Compare(b.Policy), a.Winner.Compare(b.Winner), strings.Compare(a.About, b.About))
	})
	return list
}
