package correlate

import (
	"context"
	"fmt"
	"os"
	"strings"
)

func Debug(e *Engine) {
	f := os.Getenv("DBG")
	if f == "" {
		return
	}
	a := begin(e.cfg, e.facts)
	a.run(context.Background())
	put := func(s string) {
		if strings.Contains(s, f) {
			fmt.Println(s)
		}
	}
	for i := range a.contacts {
		c := a.contacts[i]
		put(fmt.Sprintf("%s %s->%s %s:%d ref=%v n=%d out=%d in=%d user=%s logon=%v flow=%v share=%q write=%v exec=%q past=%+v sensors=%v", stamp(c.first), a.hosts.List[c.src].Key, a.hosts.List[c.dst].Key, c.kind, c.port, c.refused, c.count, c.out, c.in, c.user, c.logon, c.flow, c.share, c.write, c.exec, c.past, a.sensorNames(c.sensors())))
	}
	for i := range a.moves {
		put(fmt.Sprintf("MOVE %s %s->%s %s score=%.2f %v", stamp(a.moves[i].T), a.hosts.List[a.moves[i].From].Key, a.hosts.List[a.moves[i].To].Key, a.via[i].kind, a.moves[i].Score, a.via[i].reasons))
	}
	for h, l := range a.signs {
		for _, x := range l {
			put(fmt.Sprintf("SIGN %s %s %s %v %s comp=%v w=%v peer=%d rows=%d", a.hosts.List[h].Key, stamp(x.t), x.step, x.level, x.what, x.compromise, x.weight, x.peer, x.rows))
		}
	}
	for h, t := range a.badSince {
		put(fmt.Sprintf("BAD %s %s", a.hosts.List[h].Key, stamp(t)))
	}
	for n, c := range a.clocks.All() {
		put(fmt.Sprintf("CLOCK %s %v", n, c))
	}
}

func init() { _ = os.Getenv }

func DebugPaths(e *Engine, host string) {
	if host == "" {
		return
	}
	a := begin(e.cfg, e.facts)
	a.run(context.Background())
	for _, s := range a.seeded {
		if !strings.Contains(a.hosts.List[s.host].Key, host) {
			continue
		}
		fmt.Println("SEED", a.hosts.List[s.host].Key, stamp(s.t), s.impact)
		for _, p := range s.paths {
			fmt.Printf("  cost %.2f open=%v joins=%v first=%s:", p.Cost, p.Open, p.Joins, a.hosts.List[p.First].Key)
			for _, m := range p.Moves {
				fmt.Printf(" [%s %s->%s %s %.2f]", stamp(a.moves[m].T), a.hosts.List[a.moves[m].From].Key, a.hosts.List[a.moves[m].To].Key, a.via[m].kind, a.moves[m].Score)
			}
			fmt.Println()
		}
	}
}
