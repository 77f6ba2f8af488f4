package watch

import (
	"fmt"
	"time"
)

// maxGaps is the number of open gaps that are shown above the table.
const maxGaps = 5

// header returns the lines above the table: the bus, the counts by state, open gaps, the plugins in Telegraf and the
// notes.
func (s *Snapshot) header() []line {
	health, l := s.Bus.health()
	lines := []line{
		{fmt.Sprintf("Bus     %s  %s", printable(s.Bus.Endpoint), health), l},
		{fmt.Sprintf("        %d messages, %d rejected, lag %s, probe %s, blind %s",
			s.Bus.Messages, s.Bus.Rejected, latency(s.Bus.LagS), latency(s.Bus.ProbeRTTS), span(s.Bus.BlindS)), plain},
	}
	counts := ""
	for _, c := range s.states() {
		if counts != "" {
			counts += ", "
		}
		counts += fmt.Sprintf("%d %s", c.n, c.state)
	}
	if counts == "" {
		counts = "none"
	}
	lines = append(lines, line{"Zooids  " + counts, plain})
	for i, g := range s.Gaps {
		if i == maxGaps {
			lines = append(lines, line{fmt.Sprintf("        and %d more", len(s.Gaps)-maxGaps), alarm})
			break
		}
		lines = append(lines, line{fmt.Sprintf("Gap     %s (%s)", printable(g.Reason), printable(g.Severity)), alarm})
	}
	lines = append(lines, s.plugins()...)
	for _, note := range s.Notes {
		lines = append(lines, line{"Note    " + printable(note), plain})
	}
	return lines
}

// health says whether the bus can be heard.
func (b Bus) health() (string, look) {
	switch {
	case !b.Known:
		return "not known yet: nothing was heard so far", plain
	case !b.Observable && b.Connected:
		return "NOT OBSERVABLE: connected, but nothing is received", alarm
	case !b.Observable:
		return "NOT OBSERVABLE: not connected", alarm
	case !b.Probing:
		return "connected (without a probe it is unknown whether the bus forwards)", plain
	}
	return "observable", plain
}

// plugins returns the lines about the processor and the output in Telegraf.
func (s *Snapshot) plugins() []line {
	var lines []line
	if s.Memory.Saved != nil {
		text, l := "", plain
		if !s.Memory.Fresh {
			text, l = ": the processor in Telegraf does not run, or does not hear the bus", warning
		}
		lines = append(lines, line{fmt.Sprintf("State   %s  saved %s ago%s", printable(s.Memory.File), age(s.Time, *s.Memory.Saved), text), l})
	}
	if o := s.Output; o != nil {
		text, l := fmt.Sprintf("publishing, %d pending", o.Pending), plain
		if !o.Publishing {
			text, l = fmt.Sprintf("NOT PUBLISHING, %d pending: nothing that it sends comes back, or it does not run", o.Pending), alarm
		}
		lines = append(lines, line{fmt.Sprintf("Output  %s  saved %s ago, %s", printable(o.File), age(s.Time, o.Saved), text), l})
	}
	return lines
}

// age formats the time since; a file can be newer than the snapshot.
func age(now, then time.Time) string {
	return span(max(now.Sub(then).Seconds(), 0))
}
