"""Countries and what belongs to them, by the codes of ISO 3166, which columns of countries hold."""

from __future__ import annotations

from typing import Final

from daemon.goals.reading import Lexicon

_NAMES: Final[dict[str, str]] = {
    "AE": "united arab emirates|emirati", "AR": "argentina|argentinian", "AT": "austria|austrian", "AU": "australia|australian",
    "BE": "belgium|belgian", "BG": "bulgaria|bulgarian", "BR": "brazil|brazilian", "CA": "canada|canadian",
    "CH": "switzerland|swiss",
    "CL": "chile|chilean", "CN": "china|chinese", "CO": "colombia|colombian", "CZ": "czechia|czech republic|czech",
    "DE": "germany|german", "DK": "denmark|danish", "EE": "estonia|estonian", "EG": "egypt|egyptian", "ES": "spain|spanish",
    "FI": "finland|finnish", "FR": "france|french", "GB": "united kingdom|uk|great britain|britain|british", "GR": "greece|greek",
    "HR": "croatia|croatian", "HU": "hungary|hungarian", "ID": "indonesia|indonesian", "IE": "ireland|irish",
    "IL": "israel|israeli",
    "IN": "india|indian", "IT": "italy|italian", "JP": "japan|japanese", "KE": "kenya|kenyan", "KR": "south korea|korea|korean",
    "LT": "lithuania|lithuanian", "LU": "luxembourg", "LV": "latvia|latvian", "MA": "morocco|moroccan", "MX": "mexico|mexican",
    "MY": "malaysia|malaysian", "NG": "nigeria|nigerian", "NL": "netherlands|holland|dutch", "NO": "norway|norwegian",
    "NZ": "new zealand", "PE": "peru|peruvian", "PH": "philippines|philippine", "PK": "pakistan|pakistani", "PL": "poland|polish",
    "PT": "portugal|portuguese", "RO": "romania|romanian", "RS": "serbia|serbian", "SA": "saudi arabia|saudi",
    "SE": "sweden|swedish",
    "SG": "singapore|singaporean", "SI": "slovenia|slovenian", "SK": "slovakia|slovak", "TH": "thailand|thai",
    "TR": "turkey|turkish",
    "TW": "taiwan|taiwanese", "UA": "ukraine|ukrainian", "US": "united states|usa|united states of america",
    "VN": "vietnam|vietnamese",
    "ZA": "south africa|south african",
}  # fmt: skip

COUNTRIES: Final = Lexicon({
    form: code for code, names in _NAMES.items() for name in names.split("|")
    for form in ((name, f"{name}s") if name.endswith(("an", "ian", "i")) else (name,))
})  # fmt: skip
