package rollout

import (
	"slices"
	"strings"

	distribution "github.com/distribution/reference"
)

// imageName is a reference of an image, with the defaults that Kubernetes adds: docker.io, library and latest.
type imageName struct{ repository, tag, digest string }

// parseImage reads an image. One that is no reference is its own repository, so that it is equal to itself only.
func parseImage(image string) imageName {
	named, err := distribution.ParseNormalizedNamed(image)
	if err != nil {
		return imageName{repository: image}
	}
	name := imageName{repository: named.Name()}
	if tagged, ok := distribution.TagNameOnly(named).(distribution.Tagged); ok {
		name.tag = tagged.Tag()
	}
	if digested, ok := named.(distribution.Digested); ok {
		name.digest = digested.Digest().String()
	}
	return name
}

func (n imageName) String() string {
	text := n.repository
	if n.tag != "" {
		text += ":" + n.tag
	}
	if n.digest != "" {
		text += "@" + n.digest
	}
	return text
}

// is reports whether two names are of one image. A digest decides alone.
func (n imageName) is(other imageName) bool {
	if n.digest != "" && n.digest == other.digest {
		return n.repository == other.repository
	}
	return n == other
}

// isPinned reports whether the name is another one of the same repository with the digest that somebody has looked up for it.
func (n imageName) isPinned(other imageName) bool {
	return n.repository == other.repository && n.digest != "" && other.digest == "" && n.tag == other.tag
}

// isDigestOnly is isPinned for a name that has lost its tag. Any version of the repository may have it.
func (n imageName) isDigestOnly(other imageName) bool {
	other.tag = ""
	return n.isPinned(other)
}

// IsImage reports whether a pod with an image has got a declared one: it is the same reference, or has its digest in addition.
func IsImage(text, declared string) bool {
	if text == declared {
		return true
	}
	a, b := parseImage(text), parseImage(declared)
	return a.is(b) || a.isPinned(b)
}

// Rewrite is how an admission step replaces images: those that begin with From begin with To instead. Both are whole segments of a path.
// An empty From stands for all images.
type Rewrite struct{ From, To string }

// learnRewrite finds out how an image was replaced. It is false if the image is the declared one, or cannot be recognized as such.
func learnRewrite(declared, text string) (Rewrite, bool) {
	from, to := parseImage(declared), parseImage(text)
	if to.repository == from.repository {
		return Rewrite{}, false
	}
	head, tail, found := splitCommon(from.repository, to.repository)
	renamed := from
	renamed.repository = to.repository
	if !found || !to.is(renamed) && !to.isPinned(renamed) && !to.isDigestOnly(renamed) {
		return Rewrite{}, false
	}
	return Rewrite{From: head, To: tail}, true
}

// splitCommon removes the segments that two paths have at their ends. It is false if they have none.
func splitCommon(a, b string) (restA, restB string, found bool) {
	first, second := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < min(len(first), len(second)) && first[len(first)-1-n] == second[len(second)-1-n] {
		n++
	}
	return strings.Join(first[:len(first)-n], "/"), strings.Join(second[:len(second)-n], "/"), n > 0
}

// apply replaces an image. It is false if the rewrite says nothing about it, or has been applied.
func (r Rewrite) apply(image string) (string, bool) {
	name := parseImage(image)
	if r.To != "" && strings.HasPrefix(name.repository, r.To+"/") {
		return image, false
	}
	rest, found := name.repository, true
	if r.From != "" {
		rest, found = strings.CutPrefix(name.repository, r.From+"/")
	}
	if !found {
		return image, false
	}
	name.repository = strings.TrimPrefix(r.To+"/"+rest, "/")
	return name.String(), true
}

// rewrites are how admission steps replaced the images of a pod when it was created. The init container keeps its image for ever. Images of slots say it until
// the operator changes the first one.
func (p SlottedPod) rewrites() []Rewrite {
	var all []Rewrite
	if p.Init != "" && p.InitText != "" {
		if r, ok := learnRewrite(p.Init, p.InitText); ok {
			all = append(all, r)
		}
	}
	if p.isAsCreated() {
		if r, ok := learnRewrite(p.Sidecar, p.Slots[0].text()); ok {
			all = append(all, r)
		}
	}
	// The one that says most about an image comes first.
	slices.SortStableFunc(all, func(a, b Rewrite) int { return len(b.From) - len(a.From) })
	return slices.Compact(all)
}

// isAsCreated reports whether the slots have the images with which the pod was created, and what the injector gave them is known.
func (p SlottedPod) isAsCreated() bool {
	return p.Sidecar != "" && p.Patched.IsZero() && p.Slots[0].text() == p.Slots[1].text()
}

// text is the image of the slot in its pod.
func (s Slot) text() string {
	if s.Text != "" {
		return s.Text
	}
	return s.Image
}

// textOf is what the pod has to get for a declared image: admission steps that replace images of new pods may ignore changed ones.
func (p SlottedPod) textOf(image string) string {
	for _, r := range p.Rewrites {
		if text, ok := r.apply(image); ok {
			return text
		}
	}
	return image
}
