package rollout

import (
	"fmt"
	"maps"
	"slices"
)

// UnifyImages gives targets with different references of one image the same one, so that images are compared as text from here on.
func UnifyImages(targets map[string]SlotTarget) map[string]SlotTarget {
	unified, images := map[string]SlotTarget{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		target := targets[name]
		key := parseImage(target.Image).String()
		if _, found := images[key]; !found {
			images[key] = target.Image
		}
		target.Image = images[key]
		unified[name] = target
	}
	return unified
}

// DeclareImages returns workloads whose slots have the images that the targets declare, whatever admission steps have made of them: another registry, a
// qualified name or a digest. Targets are those of UnifyImages.
func DeclareImages(workloads []Workload, targets map[string]SlotTarget) []Workload {
	declarer := declarer{known: map[podImages]podDeclared{}}
	for _, target := range targets {
		declarer.images = append(declarer.images, target.Image)
	}
	slices.Sort(declarer.images)
	workloads = slices.Clone(workloads)
	for i := range workloads {
		workloads[i].Slotted = slices.Clone(workloads[i].Slotted)
		for j := range workloads[i].Slotted {
			declarer.declare(&workloads[i].Slotted[j])
		}
	}
	return workloads
}

// podImages are what decides about the images of a pod. Many pods have the same.
type podImages struct {
	injected  Injected
	slots     [2]string
	isPatched bool
}

// declarer has the declared images, and what it knows about pods.
type declarer struct {
	images []string
	known  map[podImages]podDeclared
}

// podDeclared is what the slots of a pod stand for.
type podDeclared struct {
	images   [2]string
	rewrites []Rewrite
	replaced bool
}

func (d *declarer) declare(pod *SlottedPod) {
	for k := range pod.Slots {
		pod.Slots[k].Text = pod.Slots[k].text()
	}
	key := podImages{pod.Injected, [2]string{pod.Slots[0].Text, pod.Slots[1].Text}, !pod.Patched.IsZero()}
	found, ok := d.known[key]
	if !ok {
		found = d.read(*pod)
		d.known[key] = found
	}
	pod.Rewrites, pod.Replaced = found.rewrites, found.replaced
	for k := range pod.Slots {
		pod.Slots[k].Image = found.images[k]
	}
}

// read finds out what the slots of a pod stand for.
func (d *declarer) read(pod SlottedPod) podDeclared {
	pod.Rewrites = pod.rewrites()
	found := podDeclared{rewrites: pod.Rewrites}
	for k, slot := range pod.Slots {
		image, ok := d.declared(pod, slot.Text)
		found.images[k], found.replaced = image, found.replaced || !ok && pod.isAsCreated()
	}
	return found
}

// declared is the declared image that a slot has got. It is false if the image is none that is declared now, nor what the injector gave the pod.
func (d *declarer) declared(pod SlottedPod, text string) (string, bool) {
	name := parseImage(text)
	for _, is := range []func(declared string) bool{
		func(declared string) bool { return name.is(parseImage(declared)) },
		func(declared string) bool { return name.is(parseImage(pod.textOf(declared))) },
		func(declared string) bool { return IsImage(text, declared) || IsImage(text, pod.textOf(declared)) },
	} {
		if i := slices.IndexFunc(d.images, is); i >= 0 {
			return d.images[i], true
		}
	}
	if !pod.isAsCreated() {
		return text, false
	}
	got := parseImage(pod.textOf(pod.Sidecar))
	if !IsImage(text, pod.Sidecar) && !name.is(got) && !name.isPinned(got) && !name.isDigestOnly(got) {
		return text, false
	}
	for _, image := range d.images {
		if parseImage(image).is(parseImage(pod.Sidecar)) {
			return image, true
		}
	}
	return pod.Sidecar, true
}

// isReplaced reports whether nobody knows what the pod has to get for an image: its own was replaced, and this one is of another repository.
func (p SlottedPod) isReplaced(serving Slot, image string) bool {
	return p.Replaced && parseImage(serving.text()).repository != parseImage(image).repository
}

func (p SlottedPod) replacedText(serving Slot, image string) string {
	return fmt.Sprintf("an admission webhook or policy gave %s the image %s instead of %s, and what it makes of %s is not known: set spec.sidecar.image of the Mesh to an image of that repository, or restart the pod",
		p.Pod, serving.text(), p.Sidecar, image)
}
