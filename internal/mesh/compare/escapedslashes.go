package compare

import "github.com/openservicemesh/osm-operator/internal/platform/names"

// compareEscapedSlashes adds a flow for a port with HTTP whose Service begins or ceases to decode escaped slashes in paths. Policies decide about
// such requests as about others then.
func (f *flows) compareEscapedSlashes(id portID, before, after *servicePort) {
	if before == nil || after == nil || !before.http || !after.http {
		return
	}
	decoded := f.after.view.DecodesSlashes(id.service)
	if decoded == f.before.view.DecodesSlashes(id.service) {
		return
	}
	flow := Flow{
		From: AnySource, To: id.String(), Request: "requests with %2F or %5C in their paths, where policies grant the decoded path",
		Before: Denied, After: Allowed, By: []string{"the annotation " + names.EscapedSlashesAnnotation},
	}
	if !decoded {
		flow.Before, flow.After = Allowed, Denied
	}
	f.list = append(f.list, flow)
}
