package translate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// Options select what is translated.
type Options struct {
	// Namespace limits the translation to objects of one namespace; empty means all.
	Namespace string
	// BestEffort also translates what the other language can only approximate.
	BestEffort bool
	// AssumeRetries treats Retries as in force, for input without a MeshConfig.
	AssumeRetries bool
}

// Outcome is what became of an object.
type Outcome string

// Outcomes, from good to bad.
const (
	// Translated objects can be deleted once the result is in force.
	Translated Outcome = "translated"
	// Idle objects have no effect, so there is nothing to translate.
	Idle Outcome = "has no effect"
	// Kept objects mean the same in both languages.
	Kept Outcome = "stays"
	// Partial objects are translated, but are also necessary for something else.
	Partial Outcome = "partly translated"
	// Approximate objects are translated with a difference, because of Options.BestEffort.
	Approximate Outcome = "approximately translated"
	// Untranslated objects have no counterpart.
	Untranslated Outcome = "not translated"
)

// Note says what became of an object.
type Note struct {
	Object  entity.Ref
	Outcome Outcome
	Text    string
}

// String is the line for people.
func (n Note) String() string {
	return fmt.Sprintf("%s %s: %s", n.Object.Kind.APIName(), n.Object.Name, n.sentence())
}

func (n Note) sentence() string {
	if n.Text == "" {
		return string(n.Outcome) + "."
	}
	text := n.Text
	for _, word := range []string{"It ", "Its ", "On ", "The ", "A ", "An ", "Requests ", "Keep "} {
		if strings.HasPrefix(text, word) {
			text = strings.ToLower(text[:1]) + text[1:]
		}
	}
	return string(n.Outcome) + ": " + text
}

// Object is an object of the result.
type Object struct {
	*unstructured.Unstructured
	// From are the objects that it replaces, sorted.
	From []entity.Ref
}

// Result is a translation.
type Result struct {
	Objects []Object
	Notes   []Note
}

// Complete reports whether everything was translated exactly.
func (r *Result) Complete() bool {
	return !slices.ContainsFunc(r.Notes, func(n Note) bool {
		return n.Outcome == Partial || n.Outcome == Approximate || n.Outcome == Untranslated
	})
}

func (r *Result) note(ref entity.Ref, outcome Outcome, format string, args ...any) {
	r.Notes = append(r.Notes, Note{ref, outcome, fmt.Sprintf(format, args...)})
}

// noteOnce adds a note unless it exists.
func (r *Result) noteOnce(ref entity.Ref, outcome Outcome, text string) {
	if note := (Note{ref, outcome, text}); !slices.Contains(r.Notes, note) {
		r.Notes = append(r.Notes, note)
	}
}

func (r *Result) sort() {
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return a.Object.Compare(b.Object) })
	slices.SortStableFunc(r.Objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rankOf(a), rankOf(b)), refOf(a).Compare(refOf(b)))
	})
}

// rankOf orders kinds: what others refer to comes first.
func rankOf(o Object) int {
	return slices.Index([]string{"HTTPRouteGroup", "TrafficSplit"}, o.GetKind())
}

func refOf(o Object) entity.Ref {
	return entity.Ref{Kind: kinds.EntryKind(o.GroupVersionKind()), Name: entity.Name{Namespace: o.GetNamespace(), Name: o.GetName()}}
}

// obstacle is why something cannot be translated exactly.
type obstacle struct {
	// object is at fault; without a kind, all objects of the Service are.
	object entity.Ref
	text   string
	// fatal obstacles also prevent an approximation.
	fatal bool
	// partial obstacles leave the translation exact, but the object is also necessary for something else.
	partial bool
	// replaced obstacles are routes that already do what the object did.
	replaced bool
}

type obstacles []obstacle

func (o *obstacles) add(ref entity.Ref, format string, args ...any) {
	*o = append(*o, obstacle{object: ref, text: fmt.Sprintf(format, args...)})
}

func (o *obstacles) fail(ref entity.Ref, format string, args ...any) {
	*o = append(*o, obstacle{object: ref, text: fmt.Sprintf(format, args...), fatal: true})
}

func (o *obstacles) keep(ref entity.Ref, format string, args ...any) {
	*o = append(*o, obstacle{object: ref, text: fmt.Sprintf(format, args...), partial: true})
}

func (o *obstacles) replaced(ref entity.Ref, format string, args ...any) {
	*o = append(*o, obstacle{object: ref, text: fmt.Sprintf(format, args...), partial: true, replaced: true})
}

// onlyReplaced reports whether existing routes are all that concerns an object.
func (o obstacles) onlyReplaced(ref entity.Ref) bool {
	return !slices.ContainsFunc(o, func(one obstacle) bool { return (one.object.Kind == "" || one.object == ref) && !one.replaced })
}

// prevent reports whether the translation must not be printed.
func (o obstacles) prevent(bestEffort bool) bool {
	return slices.ContainsFunc(o, func(one obstacle) bool { return !one.partial && (one.fatal || !bestEffort) })
}

// textsFor joins what concerns an object, each text once.
func (o obstacles) textsFor(ref entity.Ref) (text string, partialOnly bool) {
	var list []string
	partialOnly = true
	for _, one := range o {
		if one.object.Kind != "" && one.object != ref {
			continue
		}
		partialOnly = partialOnly && one.partial
		if !slices.Contains(list, one.text) {
			list = append(list, one.text)
		}
	}
	return strings.Join(list, " "), partialOnly
}

// report adds a note for each object of a Service. into describes the result.
func (o obstacles) report(r *Result, refs []entity.Ref, bestEffort bool, into string) {
	prevented := o.prevent(bestEffort)
	for _, ref := range refs {
		text, partialOnly := o.textsFor(ref)
		switch {
		case prevented && text == "":
			r.note(ref, Untranslated, "the others of its Service cannot be translated, and a route would replace all of them.")
		case prevented:
			r.note(ref, Untranslated, "%s", text)
		case text == "":
			r.note(ref, Translated, "%s", into)
		case o.onlyReplaced(ref):
			r.note(ref, Translated, "%s %s", into, text)
		case partialOnly:
			r.note(ref, Partial, "%s %s", into, text)
		default:
			r.note(ref, Approximate, "%s %s", into, text)
		}
	}
}

// entriesOf returns the entries of a kind, sorted by name.
func entriesOf[E catalog.Entry](l *load.Loaded, kind entity.Kind) []E {
	return load.Sorted(l, func(entry E) bool { return entry.Ref().Kind == kind })
}

func joinRefs(refs []entity.Ref) string {
	var list []string
	for _, ref := range refs {
		list = append(list, fmt.Sprintf("%s %s", ref.Kind.APIName(), ref.Name))
	}
	return strings.Join(list, ", ")
}

// PrintYAML writes the objects as YAML documents. A comment names what each replaces.
func (r *Result) PrintYAML(w io.Writer) error {
	for i, object := range r.Objects {
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		if len(object.From) > 0 {
			fmt.Fprintf(w, "# From %s.\n", joinRefs(object.From))
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// PrintJSON writes the objects as a list that kubectl can apply.
func (r *Result) PrintJSON(w io.Writer) error {
	list := unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, object := range r.Objects {
		list.Items = append(list.Items, *object.Unstructured)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "    ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list.UnstructuredContent())
}
