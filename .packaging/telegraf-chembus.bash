# Completion of telegraf-chembus for bash.
_telegraf_chembus() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
	case $before in
	-config)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	-interval | -timeout)
		COMPREPLY=()
		return
		;;
	esac
	if ((COMP_CWORD == 1)); then
		words="input processor output page watch wait check sample version help -config"
	else
		case ${COMP_WORDS[1]} in
		input | processor | output | page | check) words="-config" ;;
		watch) words="-config -once -json -interval" ;;
		wait) words="-config -timeout" ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _telegraf_chembus telegraf-chembus
