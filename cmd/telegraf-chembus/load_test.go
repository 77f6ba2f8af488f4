package main

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// field returns a field of a plugin's struct by name.
func field(plugin telegraf.PluginDescriber, name string) any {
	return reflect.ValueOf(plugin).Elem().FieldByName(name).Interface()
}

// loadOnly loads the only table of a file with this content.
func loadOnly(t *testing.T, content string) (telegraf.PluginDescriber, []problem) {
	t.Helper()
	t.Chdir(t.TempDir())
	writeConfig(t, content)
	table, err := onlyTable("f.conf")
	require.NoError(t, err)
	return table.load()
}

func TestEnvironmentInValues(t *testing.T) {
	t.Setenv("WORD", "from the \"environment\"\nsignal = 1")
	for written, want := range map[string]string{
		`"${WORD}"`:             "from the \"environment\"\nsignal = 1",
		`"a $WORD b"`:           "a from the \"environment\"\nsignal = 1 b",
		`'${WORD}'`:             "from the \"environment\"\nsignal = 1",
		`"${UNSET_WORD}"`:       "${UNSET_WORD}",
		`"$UNSET_WORD"`:         "$UNSET_WORD",
		`"${UNSET_WORD:-none}"`: "none",
		`"${1} costs 5$"`:       "${1} costs 5$",
		`"$$WORD"`:              "$WORD",
	} {
		plugin, problems := loadOnly(t, "[[outputs.chembus]]\n# ${WORD}\necosystem = "+written+"\n")
		require.Empty(t, problems, written)
		require.Equal(t, want, field(plugin, "Ecosystem"), written)
	}

	_, problems := loadOnly(t, "[[outputs.chembus]]\n\necosystem = \"${UNSET_WORD:?name the colony}\"\n")
	require.Equal(t, []problem{{"f.conf", 3, `option "ecosystem": required variable UNSET_WORD is missing a value: ` +
		`name the colony; set it, or give a default: ${NAME:-VALUE}`}}, problems)
}

func TestEnvironmentInArraysAndDurations(t *testing.T) {
	t.Setenv("ONE", "one")
	t.Setenv("LONG", "2m")
	const options = "[[processors.liveness]]\nignore = [\"two\", \"${ONE}_*\"]\nthreshold = \"${LONG}\"\n"
	_, problems := loadOnly(t, options+"late_after = \"${ONE}\"\n")
	require.Equal(t, []problem{{"f.conf", 4,
		`option "late_after": "one" is not a duration; use a duration such as "500ms", "30s" or "1d"`}}, problems)

	plugin, problems := loadOnly(t, options)
	require.Empty(t, problems)
	require.Equal(t, []string{"two", "one_*"}, field(plugin, "Ignore"))
	require.EqualValues(t, 2*time.Minute, field(plugin, "Threshold"))
}

// TestEnvironmentIsReplacedOnce loads every table twice, since loading one reads the others: a value that came from the
// environment must not be replaced again.
func TestEnvironmentIsReplacedOnce(t *testing.T) {
	t.Setenv("WORD", "$OTHER")
	t.Setenv("OTHER", "wrong")
	t.Chdir(t.TempDir())
	writeConfig(t, "[[inputs.chembus]]\n[[processors.liveness]]\nignore = [\"$$WORD\", \"$WORD\"]\n[[outputs.chembus]]\necosystem = \"$$WORD\"\n")
	tables, problems := readTables("f.conf")
	require.Empty(t, problems)
	for range 2 {
		for _, table := range tables {
			plugin, problems := table.load()
			require.Empty(t, problems)
			switch table.role.name {
			case "processor":
				require.Equal(t, []string{"$WORD", "$OTHER"}, field(plugin, "Ignore"))
			case "output":
				require.Equal(t, "$WORD", field(plugin, "Ecosystem"))
			}
		}
	}
}

// A listed is a nested table of listOutput.
type listed struct {
	Topic string          `toml:"topic"`
	Names []string        `toml:"names"`
	For   config.Duration `toml:"for"`
}

// A listOutput has nested tables, of which it refuses those without a topic.
type listOutput struct {
	Stop  []listed  `toml:"stop"`
	Other []*listed `toml:"other"`
	pickyOutput
}

func (o *listOutput) Init() error {
	for i, stop := range o.Stop {
		if stop.Topic == "" {
			return &option.Error{Name: "topic", Problem: "is missing", Allowed: "name one", Table: "stop", Number: i}
		}
	}
	return nil
}

// TestNestedTables loads lists of structs and of pointers.
func TestNestedTables(t *testing.T) {
	t.Setenv("TOPIC", "VOICE")
	const twoOf = `[[outputs.chembus]]
first = "a"
[[outputs.chembus.%[1]s]]
  topic = "${TOPIC}.X"
[[outputs.chembus.%[1]s]]
  names = ["n"]
  for = "2s"
  topic = "Y"
`
	want := []listed{{Topic: "VOICE.X"}, {Topic: "Y", Names: []string{"n"}, For: config.Duration(2 * time.Second)}}
	fake := &listOutput{}
	registerOutput(t, fake)
	_, problems := loadOnly(t, fmt.Sprintf(twoOf, "stop"))
	require.Empty(t, problems)
	require.Equal(t, want, fake.Stop)
	_, problems = loadOnly(t, fmt.Sprintf(twoOf, "other"))
	require.Empty(t, problems)
	require.Equal(t, []*listed{&want[0], &want[1]}, fake.Other)
	require.Equal(t, "a", fake.First)

	for content, complaint := range map[string]problem{
		"[[outputs.chembus.stop]]\ntopic = \"a\"\n[[outputs.chembus.stop]]\n\ntopics = \"b\"\n": {"f.conf", 6,
			`unknown option "topics" in [[outputs.chembus.stop]]; did you mean "topic"? telegraf-chembus sample shows all options`},
		"[[outputs.chembus.stop]]\ntopic = 5\n": {"f.conf", 3,
			`option "topic": 5 is not a string; use a string in quotes`},
		"[[outputs.chembus.stop]]\ntopic = \"a\"\n[[outputs.chembus.stop]]\nfor = \"1s\"\n[[outputs.chembus.stop]]\n": {"f.conf", 4,
			`option "topic": is missing; name one`},
		"[[outputs.chembus.stop]]\n\ntopic = \"\"\n": {"f.conf", 4,
			`option "topic": is missing; name one`},
		"stop = [\"a\"]\n": {"f.conf", 2,
			`option "stop": ["a"] is not a list of tables; use [[...]] tables, see telegraf-chembus sample`},
		"[outputs.chembus.stop]\ntopic = \"a\"\n": {"f.conf", 2,
			`option "stop": a table is not a list of tables; use [[...]] tables, see telegraf-chembus sample`},
	} {
		registerOutput(t, &listOutput{})
		_, problems := loadOnly(t, "[[outputs.chembus]]\n"+content)
		require.Equal(t, []problem{complaint}, problems, content)
	}
}

// A pickyOutput counts calls of Init and returns the given error from it.
type pickyOutput struct {
	First  string          `toml:"first"`
	Second string          `toml:"second"`
	Odd    map[string]int  `toml:"odd"`
	Unset  *config.Size    `toml:"unset"`
	Log    telegraf.Logger `toml:"-"`

	refuse error
	inits  int
}

func (*pickyOutput) SampleConfig() string          { return "" }
func (*pickyOutput) Connect() error                { return nil }
func (*pickyOutput) Close() error                  { return nil }
func (*pickyOutput) Write([]telegraf.Metric) error { return nil }

func (p *pickyOutput) Init() error {
	p.inits++
	p.Log.Info("initialised")
	return p.refuse
}

func TestRejectedOptionIsReportedWithItsLine(t *testing.T) {
	bad := func(name string) error { return &option.Error{Name: name, Problem: "is bad", Allowed: "make it good"} }
	for _, test := range []struct {
		refuse error
		want   []problem
	}{
		{nil, nil},
		{bad("second"), []problem{{"f.conf", 4, `option "second": is bad; make it good`}}},
		{bad("first"), []problem{{"f.conf", 2, `option "first": is bad; make it good`}}},
		{bad("absent"), []problem{{"f.conf", 1, `option "absent": is bad; make it good`}}},
		{fmt.Errorf("both: %w", bad("second")), []problem{{"f.conf", 4, `both: option "second": is bad; make it good`}}},
		{fmt.Errorf("no room"), []problem{{"f.conf", 1, "no room"}}},
	} {
		fake := &pickyOutput{refuse: test.refuse}
		registerOutput(t, fake)
		plugin, problems := loadOnly(t, "[[outputs.chembus]]\nfirst = '''\n'''\nsecond = \"b\"\n")
		require.Equal(t, test.want, problems)
		require.Equal(t, 1, fake.inits)
		require.Equal(t, test.want == nil, plugin != nil)
	}
}

func TestInitIsNotCalledAfterABadOption(t *testing.T) {
	fake := &pickyOutput{}
	registerOutput(t, fake)
	_, problems := loadOnly(t, "[[outputs.chembus]]\nodd = 5\nunset = true\n")
	require.Equal(t, []problem{
		{"f.conf", 2, `option "odd": 5 is not a map[string]int; see telegraf-chembus sample`},
		{"f.conf", 3, `option "unset": true is not a size; use a size such as "64KiB", or a number of bytes`},
	}, problems)
	require.Zero(t, fake.inits)
}

func TestRejectedDefaultsNameTheEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KLR_CHEM_XPUB", "bogus")
	const complaint = `option "subscribe_endpoint": "bogus" from the environment variable KLR_CHEM_XPUB ` +
		`is not a transport that the bus uses; use "tcp://HOST:PORT" or "ipc://PATH"`

	status, _, stderr := invoke(t, "input")
	require.Equal(t, 1, status)
	require.Equal(t, "E! the defaults of inputs.chembus: "+complaint+"\n", stderr)

	writeConfig(t, "\n[[inputs.chembus]]\nprobe = true\n")
	status, _, stderr = invoke(t, "-config", "f.conf")
	require.Equal(t, 1, status)
	require.Equal(t, "E! f.conf:2: "+complaint+"\n", stderr)
}

func registerOutput(t *testing.T, plugin telegraf.Output) {
	t.Helper()
	original := outputs.Outputs["chembus"]
	outputs.Add("chembus", func() telegraf.Output { return plugin })
	t.Cleanup(func() { outputs.Outputs["chembus"] = original })
}
