package analyze

import (
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/fields"
)

// unknownFields reports fields of objects in files that their kind does not have. The API server drops such fields of stored objects.
func (a *analysis) unknownFields() {
	if !a.mesh.Partial {
		return
	}
	schemas, err := fields.Read()
	if err != nil {
		a.unread = append(a.unread, err.Error())
		return
	}
	for _, object := range a.mesh.Objects {
		for _, unknown := range schemas.Find(object) {
			a.add(codeUnknownField, subjectOf(object), "%s is not a field of this kind, so it has no effect: use one of %s.", unknown.Path, strings.Join(unknown.Known, ", "))
		}
	}
}
