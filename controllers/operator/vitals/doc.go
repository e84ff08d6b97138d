// Package vitals observes how a revision of a control plane is doing, for the gates of an upgrade.
//
// In flow the pods of the revision, and what each replica reports of its sidecars: who is connected, what they reject, how long
// their certificates last, how many of their requests fail. Out flows a Reading, in which a part that could not be observed whole is
// absent: half of the truth is no reason to go on.
package vitals
